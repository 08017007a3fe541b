//go:build !noaddons

package component

import (
	"github.com/coredns/coredns/coremain"

	// Only what a cluster's DNS needs: CoreDNS's default list would pull in the SDKs of
	// three cloud providers.
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func init() {
	programs["coredns"] = func() int { coremain.Run(); return 0 }
}
