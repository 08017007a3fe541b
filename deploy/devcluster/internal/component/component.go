// Package component makes the Kubernetes programs callable from one binary.
//
// Every program is linked in from its Go module instead of being downloaded: one build produces
// them all at one version, and the project depends on nothing but the Go module proxy.
package component

import (
	"context"
	"os"
	"sort"

	_ "time/tzdata" // CronJob time zones must work on a machine without tzdata

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics of every component
	_ "k8s.io/component-base/metrics/prometheus/version"  // version metric of every component
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubeconfigs with auth providers
)

// A program runs with os.Args[0] set to its own name and returns its exit code.
type program func() int

var programs = map[string]program{
	"etcd": func() int { etcdmain.Main(os.Args); return 0 },
	"kube-apiserver": func() int {
		return cli.Run(apiserver.NewAPIServerCommand())
	},
	"kube-controller-manager": func() int {
		return cli.Run(controllermanager.NewControllerManagerCommand())
	},
	"kube-scheduler": func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kubelet":        runKubelet,
	"kube-proxy":     func() int { return cli.Run(kubeproxy.NewProxyCommand()) },
	"kubectl":        runKubectl,
}

// Has reports whether name is a program that this binary contains.
func Has(name string) bool {
	_, ok := programs[name]
	return ok
}

// Names lists the contained programs for usage texts.
func Names() []string {
	names := make([]string, 0, len(programs))
	for name := range programs {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Run turns this process into the named program; args are the program's own arguments.
func Run(name string, args []string) int {
	os.Args = append([]string{name}, args...)
	return programs[name]()
}

// runKubectl is the main function of kubectl, which upstream keeps in a package main.
func runKubectl() int {
	logs.GlogSetter(kubectlcmd.GetLogVerbosity(os.Args)) //nolint:errcheck // as upstream does
	if err := cli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
		return 1
	}
	return 0
}

func runKubelet() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) }
