package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/logging"
	"galaxy/rtmanager/internal/securitycheck"
)

func (a *app) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: the store, its API, and the games of this node",
		Long: `Serve runs a daemon until it is interrupted. Without flags it needs nothing but
this machine: it stores the records in an embedded etcd, below --data-dir, and
serves the API on 127.0.0.1:8080. With --etcd-endpoints it uses an existing etcd
cluster. With --cluster-init and --cluster-join several daemons form a cluster of their
embedded members: both have an effect on a new --data-dir only, so the same command
serves every start. If Docker is available, it runs games in Docker by default; otherwise it
runs them as local processes (--engine).

When it is ready, it prints one line with its addresses to standard output,

    ready api=http://HOST:PORT etcd=http://HOST:PORT pid=PID store=ID engine=KIND ready_ms=N

and logs to standard error. An interrupt, SIGTERM or SIGHUP shuts it down
gracefully, a second one at once. No acknowledged write is lost if it is killed.

With --check-security it starts nothing: it prints a line for each weakness of the
settings and of the files that they name, such as "--auth: every user and every game of
this machine can use the API; …". The exit code is 0 if there is none, and 1 otherwise.
Run it as the user and with the settings of the daemon.

Each flag of its own is also an environment variable (--data-dir is
RTMANAGER_DATA_DIR) and a setting in the YAML file of --config (data-dir: …).
Flags take precedence over the environment, and the environment over the file.`,
		Example: `  rtmanager serve
  rtmanager serve --data-dir /var/lib/rtmanager --region eu --node eu-1
  rtmanager serve --cluster-init --certs certs --region eu --node eu-1 --listen 10.0.1.1:8080
  rtmanager serve --cluster-join https://10.0.1.1:2379 --certs certs --region us --node us-1
  rtmanager serve --etcd-endpoints https://10.0.0.1:2379,https://10.0.0.2:2379 --etcd-cacert ca.pem
  rtmanager serve --config /etc/rtmanager/config.yaml --check-security
  rtmanager serve --listen 127.0.0.1:0 --etcd-listen-client http://127.0.0.1:0   # any free ports`,
		Args: requireNoArguments,
	}
	settings := config.Bind(cmd.Flags(), a.streams.LookupEnv)
	isCheck := cmd.Flags().Bool("check-security", false, "print what is weak about the settings, and start nothing")
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		cfg, err := settings.Load()
		if err != nil {
			return exit.UsageError{Err: err, See: cmd.CommandPath()}
		}
		if *isCheck {
			return a.checkSecurity(cfg)
		}
		return a.serve(cmd.Context(), cfg)
	})
	return cmd
}

// checkSecurity prints the weaknesses of the settings.
func (a *app) checkSecurity(cfg config.Config) error {
	a.usesNoDaemon = true
	found := securitycheck.Run(cfg, securitycheck.SystemEnvironment())
	for _, weakness := range found {
		fmt.Fprintln(a.streams.Out, weakness)
	}
	switch len(found) {
	case 0:
		a.printMessagef("serve", "no weakness of the settings is known")
		return nil
	case 1:
		return errors.New("the settings have 1 weakness")
	default:
		return fmt.Errorf("the settings have %d weaknesses", len(found))
	}
}

func (a *app) serve(ctx context.Context, cfg config.Config) error {
	a.usesNoDaemon = true
	level, err := cfg.Level()
	if err != nil {
		return err
	}
	logger, err := logging.New(a.streams.Err, level, cfg.LogFormat)
	if err != nil {
		return err
	}
	if program, err := os.Executable(); err == nil && cfg.BackupDir != "" {
		cfg.BackupVerifier = []string{program, "backup", "verify", "--output", "json"}
	}
	return daemon.Run(ctx, cfg, clientBuild().Version, logger, func(ready daemon.Ready) {
		fmt.Fprintf(a.streams.Out, "ready api=%s etcd=%s pid=%d store=%s engine=%s ready_ms=%d\n",
			ready.API, ready.Etcd, os.Getpid(), ready.Store, ready.Engine, ready.After.Round(time.Millisecond).Milliseconds())
	})
}
