package storecmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
)

// restoreFlags are the flags of restore in addition to settings of the daemon.
type restoreFlags struct {
	from, output string
	members      []string
	isForced     bool
}

func (c commands) restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore --from FILE",
		Short: "Create data directories from a backup",
		Long: `Restore creates the data directory of a daemon with an embedded etcd from a backup of
rtmanager backup, or a snapshot of etcdctl. The directory must be empty or not exist,
except for the games of nodes. Then start the daemon with the same --data-dir. For a
cluster of several members, restore one of them, start it, and let the others join it
with empty data directories.

For an external etcd, name each member with --member; restore creates the data
directories DIR/NAME of all of them, with the same content. Copy each to its host as the
--data-dir of that etcd, and start all members.

Stop all daemons and members of the store first. Restore does not run while a member
that the backup names still responds; --force skips this check.

The restored etcd is a new cluster: daemons that ran before end with an error, writes
and fences of before are refused, and a watch of before gets the error compacted, or a
resync. Games that were started or removed after the backup appear in rtmanager drift.`,
		Example: `  rtmanager restore --from rtmanager.snapshot
  rtmanager restore --from rtmanager.snapshot --data-dir /var/lib/rtmanager
  rtmanager restore --from rtmanager.snapshot --output dirs --member e1=https://10.0.0.1:2380`,
		Args: host.RequireNoArguments,
	}
	serve := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	settings := config.Bind(serve, c.LookupEnv)
	for _, name := range []string{"data-dir", "etcd-cluster-token", "etcd-cacert", "etcd-cert", "etcd-key", "config"} {
		cmd.Flags().AddFlag(serve.Lookup(name))
	}
	bindCerts(cmd.Flags(), serve)
	var f restoreFlags
	flags := cmd.Flags()
	for name, usage := range map[string]string{
		"etcd-cacert": "`FILE` with the CA certificate that verifies members which may still respond",
		"etcd-cert":   "`FILE` with the client certificate for these members", "etcd-key": "`FILE` with the key of --etcd-cert",
	} {
		flags.Lookup(name).Usage = usage
	}
	flags.StringVar(&f.from, "from", "", "backup `FILE` to restore")
	flags.StringArrayVar(&f.members, "member", nil, "`NAME=PEER_URL` of a member of an external etcd; repeat it for each")
	flags.StringVar(&f.output, "output", "", "`DIR` for the data directories of --member")
	flags.BoolVar(&f.isForced, "force", false, "restore although members of the store still respond")
	_ = cmd.MarkFlagRequired("from")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		c.UseNoDaemon()
		request, err := f.request()
		if err == nil && len(request.Members) > 0 && flags.Changed("data-dir") {
			err = errors.New("--data-dir is of an embedded etcd, and --member of an external one: give one of them")
		}
		var cfg config.Config
		if err == nil {
			cfg, err = settings.Load()
		}
		if err == nil {
			cfg, err = cfg.WithEtcdClientCerts()
		}
		if err != nil {
			return exit.UsageError{Err: err, See: cmd.CommandPath()}
		}
		return c.restore(cmd, cfg, request)
	})
	return cmd
}

// request returns what the flags request.
func (f restoreFlags) request() (daemon.RestoreRequest, error) {
	request := daemon.RestoreRequest{File: f.from, IgnoreLive: f.isForced}
	if (len(f.members) > 0) != (f.output != "") {
		return request, errors.New("--member and --output must be given together")
	}
	for _, m := range f.members {
		name, peerURL, found := strings.Cut(m, "=")
		if !found || name == "" || strings.ContainsAny(name, `/\`) || name == "." || name == ".." {
			return request, fmt.Errorf("--member %q must be NAME=PEER_URL, as in etcd-1=https://10.0.0.1:2380", m)
		}
		request.Members = append(request.Members, backup.Member{Name: name, PeerURL: peerURL, Dir: filepath.Join(f.output, name)})
	}
	return request, nil
}

func (c commands) restore(cmd *cobra.Command, cfg config.Config, request daemon.RestoreRequest) error {
	restored, err := daemon.Restore(cmd.Context(), cfg, request)
	if live := (*backup.LiveError)(nil); errors.As(err, &live) {
		return exit.HintError{Err: err, Hint: "--force restores nevertheless; the members that respond must then never be used with this store"}
	}
	if err != nil {
		return err
	}
	m := restored.Manifest
	m.Stores = nil
	for _, s := range restored.Stores {
		m.Stores = append(m.Stores, s.StoreReport)
	}
	if restored.HasNoManifest {
		c.PrintMessagef("restore", "%s has no manifest: the time is that of the file, and the identity by which nodes find their containers was computed from the members of the etcd", render.Value(request.File))
	}
	out := c.Out
	fmt.Fprintf(out, "backup of %s, %s ago: %s\n", render.Time(m.CreatedAt), render.Age(c.Now().Sub(m.CreatedAt)), describeBackup(m))
	if len(request.Members) == 0 {
		fmt.Fprintf(out, "restored %[1]s at revision %[2]d; start it with `rtmanager serve --data-dir %[1]s`\n", cfg.DataDir, restored.Revision)
	}
	fmt.Fprintf(out, "restore id %s\n", restored.ID)
	for _, member := range request.Members {
		fmt.Fprintf(out, "restored %s at revision %d; use it as the --data-dir of etcd --name %s\n", member.Dir, restored.Revision, member.Name)
	}
	if count := m.Findings(); count > 0 {
		c.PrintMessagef("restore", "%s in the backup; `rtmanager fsck` lists them once the daemon runs", render.Count(count, "finding"))
	}
	return nil
}
