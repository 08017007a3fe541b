package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"oarlock.dev/devcluster/internal/cluster"
	"oarlock.dev/devcluster/internal/component"
	"oarlock.dev/devcluster/internal/images"
	"oarlock.dev/devcluster/internal/pki"
	"oarlock.dev/devcluster/internal/supervisor"
)

// defaultTimeout bounds each wait of `up` and `start`; a loaded machine may need most of it.
const defaultTimeout = 3 * time.Minute

func supervise(args []string) error {
	if len(args) != 1 {
		return errors.New("this command is for devcluster's own use")
	}
	var opts supervisor.Options
	if err := json.Unmarshal([]byte(args[0]), &opts); err != nil {
		return err
	}
	return supervisor.Serve(opts)
}

func up(args []string) error {
	set, dir := flags("up")
	level := set.String("level", "", "control-plane (default) or node")
	kubeconfig := set.String("kubeconfig", "", "write the admin's kubeconfig here too")
	name := set.String("name", "", "name of the cluster (default: that of the folder)")
	nodes := set.Int("nodes", 0, "how many nodes, at level node (default: as it has; first one)")
	with := set.String("with", "", "extra components: controller-manager,scheduler")
	timeout := set.Duration("timeout", defaultTimeout, "bound of each wait")
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	c, err := open(*dir)
	if err != nil {
		return err
	}
	opts := cluster.UpOptions{
		Level: cluster.Level(*level), Name: *name, Kubeconfig: *kubeconfig, Timeout: *timeout,
		Nodes: *nodes,
	}
	if *with != "" {
		opts.With = strings.Split(*with, ",")
	}
	return c.Up(opts)
}

func down(args []string) error {
	set, dir := flags("down")
	purge := set.Bool("purge", false, "remove the data too")
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	c, err := open(*dir)
	if err != nil {
		return err
	}
	return c.Down(*purge)
}

func status(args []string) error {
	set, dir := flags("status")
	output := set.String("o", "text", "text or json")
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	c, err := open(*dir)
	if err != nil {
		return err
	}
	st, err := c.Status()
	if err != nil {
		return err
	}
	if *output == "json" {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(st)
	} else {
		err = st.Print(os.Stdout)
	}
	if err == nil && !st.Ready {
		err = cluster.ErrNotReady
	}
	return err
}

// fault wraps the commands that take a folder and one component.
func fault(do func(c *cluster.Cluster, component string) error) func([]string) error {
	return func(args []string) error {
		set, dir := flags("stop|start|kill|pause|resume")
		rest, err := parse(set, args, 1)
		if err != nil {
			return err
		}
		c, err := open(*dir)
		if err != nil {
			return err
		}
		if len(rest) != 1 {
			return usageError{fmt.Errorf("expected one of the components %s, found nothing",
				strings.Join(c.Components(), ", "))}
		}
		return do(c, rest[0])
	}
}

func stop(c *cluster.Cluster, name string) error   { return c.StopComponent(name) }
func kill(c *cluster.Cluster, name string) error   { return c.KillComponent(name) }
func pause(c *cluster.Cluster, name string) error  { return c.Pause(name) }
func resume(c *cluster.Cluster, name string) error { return c.ResumeComponent(name) }
func start(c *cluster.Cluster, name string) error {
	return c.StartComponent(name, defaultTimeout)
}

// node changes the state of a whole node.
func node(args []string) error {
	set, dir := flags("node")
	rest, err := parse(set, args, 2)
	if err != nil {
		return err
	}
	c, err := open(*dir)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return usageError{errors.New("expected stop, kill, freeze or start, and a node; " +
			"`devcluster status` lists the nodes")}
	}
	switch verb, name := rest[0], rest[1]; verb {
	case "stop":
		return c.StopNode(name)
	case "kill":
		return c.KillNode(name)
	case "freeze":
		return c.FreezeNode(name)
	case "start":
		return c.StartNode(name, defaultTimeout)
	default:
		return usageError{fmt.Errorf("expected stop, kill, freeze or start, found %q", verb)}
	}
}

func trustRegistry(args []string) error {
	set, dir := flags("trust-registry")
	rest, err := parse(set, args, 1)
	if err != nil {
		return err
	}
	c, err := open(*dir)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError{errors.New("trust-registry: expected HOST:PORT, found nothing")}
	}
	endpoint, err := c.TrustRegistry(rest[0])
	if err == nil {
		progress("images named %s/... come from %s", rest[0], endpoint)
	}
	return err
}

func mintKubeconfig(args []string) error {
	set, dir := flags("kubeconfig")
	var groups list
	user := set.String("user", "", "user name")
	set.Var(&groups, "group", "group of the user (repeatable)")
	keyType := set.String("key-type", string(pki.ECDSA), "ecdsa or rsa")
	asFiles := set.Bool("files", false, "reference files instead of inlining them")
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	c, err := open(*dir)
	if err != nil {
		return err
	}
	data, err := c.MintKubeconfig(cluster.UserOptions{
		Name: *user, Groups: groups, KeyType: pki.KeyType(*keyType), Files: *asFiles,
	})
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(data)
	return err
}

func kubectl(args []string) error {
	set, dir := flags("kubectl")
	if err := set.Parse(args); err != nil {
		return usageError{fmt.Errorf("%w; put kubectl's own arguments behind --", err)}
	}
	c, err := open(*dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.Kubeconfig()); err != nil {
		return fmt.Errorf("%s: expected a cluster, found none; start it with `devcluster up "+
			"--dir %[1]s`", *dir)
	}
	for key, value := range map[string]string{
		"KUBECONFIG": c.Kubeconfig(), "KUBECACHEDIR": filepath.Join(c.Dir, "kubectl-cache"),
	} {
		if err := os.Setenv(key, value); err != nil {
			return err
		}
	}
	os.Exit(component.Run("kubectl", set.Args()))
	return nil
}

func buildImage(args []string) error {
	set, _ := flags("build-image")
	var entrypoint, env, labels list
	binary := set.String("binary", "", "static binary")
	name := set.String("name", "", "name of the image")
	out := set.String("out", "", "image file to write")
	user := set.String("user", "65532", "user id that the image runs as")
	set.Var(&entrypoint, "entrypoint", "entry point (repeatable; default: the binary)")
	set.Var(&env, "env", "K=V (repeatable)")
	set.Var(&labels, "label", "K=V (repeatable)")
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	if *binary == "" || *name == "" || *out == "" {
		return usageError{errors.New("build-image: expected --binary, --name and --out")}
	}
	opts := images.BuildOptions{
		Binary: *binary, Entrypoint: entrypoint, Env: env, User: *user,
		Labels: map[string]string{},
	}
	for _, label := range labels {
		key, value, ok := strings.Cut(label, "=")
		if !ok {
			return usageError{fmt.Errorf("--label: expected K=V, found %q", label)}
		}
		opts.Labels[key] = value
	}
	img, err := images.Build(opts)
	if err != nil {
		return err
	}
	if err := images.Save(*out, *name, img); err != nil {
		return err
	}
	digest, err := img.Digest()
	if err == nil {
		fmt.Println(digest)
	}
	return err
}

func loadImage(args []string) error {
	set, dir := flags("load-image")
	rest, err := parse(set, args, 2)
	if err != nil {
		return err
	}
	c, err := open(*dir)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return usageError{errors.New("load-image: expected an image file, found nothing")}
	}
	name, err := c.LoadImage(rest[0], strings.Join(rest[1:], ""))
	if err != nil {
		return err
	}
	progress("loaded %s", name)
	return nil
}

func serveRegistry(args []string) error {
	set, dir := flags("registry")
	address := set.String("addr", "127.0.0.1:5000", "address to listen on")
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	if *dir == "" {
		return usageError{errors.New("registry: expected --dir, found nothing")}
	}
	return images.ServeRegistry(*address, *dir)
}
