package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/logging"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: the store and its API",
		Long: `Serve runs a daemon until it is interrupted. Without flags it needs nothing but
this machine: it keeps the records in an etcd of its own, below --data-dir, and
serves the API on 127.0.0.1:8080. With --etcd-endpoints it uses an etcd cluster
that exists.

Once it serves it prints one line on standard output,

    ready api=http://HOST:PORT etcd=http://HOST:PORT store=ID engine=KIND ready_ms=N

and everything else that it has to say on standard error. An interrupt or a
SIGTERM stops it in order, a second one at once; killed, it comes back with
every write that it acknowledged.

Each flag of its own is also an environment variable (--data-dir is
RTMANAGER_DATA_DIR) and a setting of the YAML file that --config names
(data-dir: …). Flags win over the environment, and that wins over the file.`,
		Example: `  rtmanager serve
  rtmanager serve --data-dir /var/lib/rtmanager --region eu --node eu-1
  rtmanager serve --etcd-endpoints https://10.0.0.1:2379,https://10.0.0.2:2379 --etcd-cacert ca.pem
  rtmanager serve --listen 127.0.0.1:0 --etcd-listen-client http://127.0.0.1:0   # any free ports`,
		Args: noArguments,
	}
	settings := config.Bind(cmd.Flags(), a.streams.LookupEnv)
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		cfg, err := settings.Load()
		if err != nil {
			return usageError{err: err, see: cmd.CommandPath()}
		}
		return a.serve(cmd.Context(), cfg)
	})
	return cmd
}

func (a *app) serve(ctx context.Context, cfg config.Config) error {
	a.daemon = true
	level, err := cfg.Level()
	if err != nil {
		return err
	}
	logger, err := logging.New(a.streams.Err, level, cfg.LogFormat)
	if err != nil {
		return err
	}
	return daemon.Run(ctx, cfg, clientVersion().Version, logger, func(ready daemon.Ready) {
		fmt.Fprintf(a.streams.Out, "ready api=%s etcd=%s store=%s engine=%s ready_ms=%d\n",
			ready.API, ready.Etcd, ready.Store, ready.Engine, ready.After.Round(time.Millisecond).Milliseconds())
	})
}
