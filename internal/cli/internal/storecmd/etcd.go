package storecmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/etcdauth"
	"galaxy/rtmanager/internal/securefile"
)

func (c commands) etcdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "etcd COMMAND",
		Short: "Prepare an external etcd for daemons",
		Long: `Etcd prepares an external etcd cluster for daemons. It connects to etcd and to no
daemon.`,
		Example: `  rtmanager etcd bootstrap --etcd-endpoints https://etcd:2379 --etcd-prefix /eu --password-file pw`,
	}
	cmd.AddCommand(c.etcdBootstrapCommand())
	return cmd
}

// etcdBootstrap are the flags of the command.
type etcdBootstrap struct {
	user, role, passwordFile, rootPasswordFile string
	enableAuth                                 bool
}

func (c commands) etcdBootstrapCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bootstrap --etcd-endpoints URL --password-file FILE",
		Short: "Create a user of etcd that can use nothing but the keys of one store",
		Long: `Bootstrap creates a user of etcd and a role that may read and write the keys below
--etcd-prefix and nothing else, and gives the user that role. A daemon then needs
--etcd-user and --etcd-password-file. A second run changes nothing.

If the file of --password-file does not exist, it is created with a random password. The
command prints what it did, and never a password.

etcd checks the role only if it authenticates requests. With --enable-auth it does so from
then on: every other program that uses the cluster needs a user as well. The user root is
created, or gets the password in --root-password-file, which must exist. Without
--enable-auth, that file is needed if etcd authenticates requests already.

The member that a daemon embeds has no users; certificates protect it.

Use --etcd-prefix: without a prefix the role may use all keys that start with a slash.`,
		Example: `  (umask 077; head -c 18 /dev/urandom | base64 > root)
  rtmanager etcd bootstrap --etcd-endpoints https://etcd:2379 --etcd-prefix /eu --password-file pw
  # with --root-password-file root --enable-auth, etcd also checks users from then on`,
		Args: host.RequireNoArguments,
	}
	cluster := bindClusterFlags(cmd.Flags(), "endpoints", "prefix", "cacert", "cert", "key", "dial-timeout")
	var b etcdBootstrap
	f := cmd.Flags()
	f.StringVar(&b.user, "user", "rtmanager", "`NAME` of the user to create")
	f.StringVar(&b.role, "role", "", "`NAME` of the role to create (default that of the user)")
	f.StringVar(&b.passwordFile, "password-file", "", "`FILE` with the password of the user; created if it does not exist")
	f.StringVar(&b.rootPasswordFile, "root-password-file", "", "`FILE` with the password of root; it must exist")
	f.BoolVar(&b.enableAuth, "enable-auth", false, "make etcd authenticate every request")
	_ = cmd.MarkFlagRequired("etcd-endpoints")
	_ = cmd.MarkFlagRequired("password-file")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		c.UseNoDaemon()
		cfg, err := cluster.load()
		if err == nil && b.enableAuth && b.rootPasswordFile == "" {
			err = errors.New("--enable-auth requires --root-password-file")
		}
		if err != nil {
			return exit.UsageError{Err: err, See: cmd.CommandPath()}
		}
		return c.bootstrapEtcd(cmd.Context(), cfg, b)
	})
	return cmd
}

func (c commands) bootstrapEtcd(ctx context.Context, cfg config.Config, b etcdBootstrap) error {
	report := func(step string) { fmt.Fprintln(c.Out, step) }
	options := etcdauth.Options{Prefix: cfg.EtcdPrefix, User: b.user, Role: b.role, EnableAuth: b.enableAuth}
	if options.Role == "" {
		options.Role = options.User
	}
	var err error
	if b.rootPasswordFile != "" {
		options.RootPassword, err = readPassword(b.rootPasswordFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("--root-password-file: %w; write the password of root to it, with mode 0600", err)
		case err != nil:
			return fmt.Errorf("--root-password-file: %w", err)
		}
		cfg.EtcdUser, cfg.EtcdPasswordFile = "root", b.rootPasswordFile
	}
	options.Password, err = readPassword(b.passwordFile)
	if errors.Is(err, fs.ErrNotExist) {
		options.Password = rand.Text()
		if err = atomicfile.Write(b.passwordFile, []byte(options.Password+"\n")); err == nil {
			report("created " + b.passwordFile + " with a random password")
		}
	}
	if err != nil {
		return fmt.Errorf("--password-file: %w", err)
	}
	for _, endpoint := range cfg.EtcdEndpoints {
		if strings.HasPrefix(endpoint, "http:") {
			c.PrintMessagef("etcd bootstrap", "warning: passwords are sent to %s without encryption", config.RedactURL(endpoint))
		}
	}
	return daemon.BootstrapEtcd(ctx, cfg, options, slog.New(slog.DiscardHandler), report)
}

// readPassword returns the password in a file, without the end of its line.
func readPassword(file string) (string, error) {
	text, err := securefile.ReadSecret(file)
	if err != nil {
		return "", err
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return password, nil
}
