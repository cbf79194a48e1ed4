package cli

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
)

// embeddedEndpoint is the default client address of an embedded etcd.
const embeddedEndpoint = "http://127.0.0.1:2379"

func (a *app) backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Save a snapshot of etcd to a file",
		Long: `Backup saves a snapshot of the whole etcd to a new file, as etcdctl snapshot save
does: records, intents and ledgers at one revision, with a checksum. Daemons
continue to run. It does not contain the state directories of games.

Without --etcd-endpoints it connects to ` + embeddedEndpoint + `, the default address of
an embedded etcd; the ready line of the daemon has the actual one, such as the socket
unix:///DIR/run/etcd.sock of a daemon with authentication.`,
		Example: `  rtmanager backup rtmanager.snapshot
  rtmanager backup rtmanager.snapshot --etcd-endpoints http://10.0.0.1:2379
  rtmanager backup rtmanager.snapshot --etcd-endpoints unix:///var/lib/rtmanager/run/etcd.sock`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%s takes one argument, the file to write, got %d", cmd.Name(), len(args))
			}
			return nil
		},
	}
	cluster := bindCluster(cmd.Flags())
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		a.usesNoDaemon = true
		cfg, err := cluster.load()
		if err != nil {
			return exit.UsageError{Err: err, See: cmd.CommandPath()}
		}
		if cfg.HasEmbeddedEtcd() {
			cfg.EtcdEndpoints = []string{embeddedEndpoint}
		}
		if err := daemon.SaveSnapshot(cmd.Context(), cfg, args[0], slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
		fmt.Fprintf(a.streams.Out, "saved %s\n", args[0])
		return nil
	})
	return cmd
}

func (a *app) restoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore --from FILE",
		Short: "Create a data directory from a snapshot",
		Long: `Restore creates the data directory of a daemon with an embedded etcd from a
snapshot of rtmanager backup or etcdctl snapshot save. The directory must be empty or
not exist, and no daemon may use it. Then start the daemon with the same --data-dir.

Revisions of before the restore are no longer available: a watch that resumes from
one gets the error compacted, or a resync. Games that were started or removed after the
snapshot appear in rtmanager drift.`,
		Example: `  rtmanager restore --from rtmanager.snapshot
  rtmanager restore --from rtmanager.snapshot --data-dir /var/lib/rtmanager`,
		Args: requireNoArguments,
	}
	serve := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	settings := config.Bind(serve, a.streams.LookupEnv)
	for _, name := range []string{"data-dir", "etcd-cluster-token", "config"} {
		cmd.Flags().AddFlag(serve.Lookup(name))
	}
	from := cmd.Flags().String("from", "", "snapshot `FILE` to restore")
	_ = cmd.MarkFlagRequired("from")
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		a.usesNoDaemon = true
		cfg, err := settings.Load()
		if err != nil {
			return exit.UsageError{Err: err, See: cmd.CommandPath()}
		}
		if err := daemon.Restore(cfg, *from); err != nil {
			return err
		}
		fmt.Fprintf(a.streams.Out, "restored %s; start it with `rtmanager serve --data-dir %s`\n", cfg.DataDir, cfg.DataDir)
		return nil
	})
	return cmd
}
