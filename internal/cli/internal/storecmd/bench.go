package storecmd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/bench/peerclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/progress"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
)

func (c commands) benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Benchmark the store against bare etcd on this machine",
		Long: `Bench measures the store, and bare etcd doing the same work, in turns on the same
cluster. So the ratios are meaningful on slow and fast machines alike. It prints
which targets are reached, how much each ratio varied between rounds, and the figures
of both sides.

It connects to no daemon. Without --etcd-endpoints it runs its own etcd, in a
temporary directory (see TMPDIR) that it removes. With --members it starts that many
members of etcd as processes of its own, which listen on TCP ports of 127.0.0.1, sync
their data to disk, and end with bench. With --etcd-endpoints it puts a heavy load on
that cluster. It writes below its own prefix, /rtmanager-bench/ID, and removes that at
the end, also if it is interrupted. Only flags select the cluster, not the
environment, so that no cluster is loaded by accident.

The ratio is the median of the rounds, in which both sides are measured one after the
other. CPU/OP is the CPU time per operation of this process, which includes an embedded
etcd, and ETCD CPU/OP that of the processes of all members. With -o benchfmt the output is
that of Go benchmarks, one line for each side of a round, for benchstat.

--against PROGRAM compares with another store, whose program measures it on the same
cluster, without TLS and users of etcd. --profile writes files for go tool pprof, of a
measurement of their own after the rounds: ROW-SIDE-cpu.pprof of this process,
ROW-SIDE-MEMBER-cpu.pprof of the members, and ROW-SIDE-allocs.pprof of allocations since
the start of the process, from which -base=ROW-SIDE-allocs-base.pprof subtracts those
before the measurement.

A target that is not reached is not an error: the exit code is 0 when all
measurements are complete.`,
		Example: `  rtmanager bench
  rtmanager bench --members 3 --row update-rate
  rtmanager bench --records 1000000 --row growth
  rtmanager bench --row update-rate --row update-latency --writers 1024
  rtmanager bench --members 3 -o benchfmt > new.txt && benchstat -col /side new.txt
  rtmanager bench --members 3 --row update-rate --writers 64 --profile profiles
  rtmanager bench --etcd-endpoints http://10.0.0.1:2379 --duration 20s
  rtmanager bench -o json | jq '.rows[] | select(.reached | not) | .name'`,
		Annotations: map[string]string{output.FormatAnnotation: output.FormatBenchmark},
		Args:        host.RequireNoArguments,
	}
	options := bench.Default()
	flags := cmd.Flags()
	flags.IntVar(&options.Writers, "writers", options.Writers, "number `N` of concurrent writers, each with its own game")
	flags.IntVar(&options.Readers, "readers", options.Readers, "number `N` of concurrent readers")
	flags.IntVar(&options.Watchers, "watchers", options.Watchers, "number `N` of concurrent subscribers")
	flags.IntVar(&options.Records, "records", options.Records, "number `N` of records in the store")
	flags.DurationVar(&options.Duration, "duration", options.Duration, "how long to measure each side of a ratio")
	flags.StringArrayVar(&options.Rows, "row", nil, "measure only the row `NAME`, repeatable: "+strings.Join(bench.RowNames(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("row", cobra.FixedCompletions(bench.RowNames(), cobra.ShellCompDirectiveNoFileComp))
	flags.StringVar(&options.ProfileDir, "profile", "", "write CPU profiles and profiles of allocations of both sides, and of each member of --members, to `DIR`, which is created")
	flags.StringVar(&options.Against, "against", options.Against, "what to compare with: bare for bare etcd, or a `PROGRAM` that measures another store (rows "+strings.Join(bench.PeerRows(), ", ")+")")
	size := flags.Int("members", 0, "run on `N` members of etcd that are started as processes of their own, for example 1 or 3; the default is one member in this process")
	cluster := bindCluster(flags)
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		if options.Against != bench.SideBare {
			options.StartPeer = peerclient.Start(options.Against)
			options.Against = filepath.Base(options.Against)
		}
		cfg, err := cluster.load()
		if err := errors.Join(options.Validate(), validateMembers(flags, *size), err); err != nil {
			return exit.UsageError{Err: err, See: cmd.CommandPath()}
		}
		return c.bench(cmd.Context(), benchmark{etcd: cfg, members: *size, options: options})
	})
	cmd.AddCommand(c.benchMemberCommand())
	return cmd
}

// clusterFlags are the flags of serve that select the etcd cluster.
type clusterFlags struct {
	serve  *pflag.FlagSet // all flags of serve
	loader *config.Loader
}

// bindCluster declares the flags.
func bindCluster(flags *pflag.FlagSet) clusterFlags {
	return bindClusterFlags(flags, "endpoints", "prefix", "cacert", "cert", "key", "user", "password-file", "dial-timeout")
}

// bindClusterFlags declares flags of these names, with the prefix etcd-.
func bindClusterFlags(flags *pflag.FlagSet, names ...string) clusterFlags {
	serve := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	loader := config.Bind(serve, func(string) (string, bool) { return "", false })
	for _, name := range names {
		flags.AddFlag(serve.Lookup("etcd-" + name))
	}
	return clusterFlags{serve: serve, loader: loader}
}

// bindCerts declares --certs as the directory of the certificates for etcd.
func bindCerts(flags, serve *pflag.FlagSet) {
	certs := serve.Lookup("certs")
	certs.Usage = "`DIR` with etcd.crt, etcd.key and etcd-ca.crt, as rtmanager cert issue creates it, in place of --etcd-cert, --etcd-key and --etcd-cacert"
	flags.AddFlag(certs)
}

// load returns the settings; the caller sets the data directory.
func (f clusterFlags) load() (config.Config, error) {
	// A daemon may use the defaults, and the default directory may not exist.
	for name, value := range map[string]string{"data-dir": os.TempDir(), "etcd-listen-client": "http://127.0.0.1:0"} {
		if err := f.serve.Set(name, value); err != nil {
			return config.Config{}, err
		}
	}
	return f.loader.Load()
}

// benchmark is one run of the command.
type benchmark struct {
	etcd    config.Config
	members int // 0 for an embedded or external etcd
	options bench.Options
}

// bench opens etcd, runs the benchmark and prints its report, even if it is incomplete
// because of an error.
func (c commands) bench(ctx context.Context, b benchmark) (err error) {
	c.UseNoDaemon()
	cfg, options := b.etcd, b.options
	if options.ProfileDir != "" {
		if err := os.MkdirAll(options.ProfileDir, 0o750); err != nil {
			return err
		}
	}
	var processes bench.MemberProcesses
	switch {
	case b.members > 0:
		cluster, startErr := startMembers(ctx, b.members)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, cluster.Close()) }()
		bound, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		ctx = bound
		go func() {
			select {
			case failure := <-cluster.Failed():
				cancel(failure)
			case <-bound.Done():
			}
		}()
		cfg.EtcdEndpoints, processes = cluster.ClientURLs(), cluster
	case cfg.HasEmbeddedEtcd():
		cfg.DataDir, err = os.MkdirTemp("", "rtmanager-bench-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.DataDir)) }()
	}
	etcd, err := daemon.OpenEtcd(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, etcd.Close()) }()

	printer := &progress.Bench{Out: c.Err, IsTerminal: c.IsErrTerminal, Headline: "etcd at " + etcd.URLs}
	report, err := bench.Run(ctx, bench.Cluster{
		URLs: etcd.URLs, Client: etcd.Client, WatchClient: etcd.WatchClient, Embedded: cfg.HasEmbeddedEtcd(), Members: processes,
		Prefix: strings.TrimRight(cfg.EtcdPrefix, "/"), OpenTimeout: cfg.EtcdDialTimeout,
	}, options, printer.Report)
	printer.Close()
	if len(report.Rows) > 0 {
		err = errors.Join(c.Printer().Bench(report), err)
	}
	if _, hasLeftovers := errors.AsType[*bench.LeftoverError](err); hasLeftovers {
		return exit.WriteError{Err: err} // Main reports it even after an interrupt
	}
	return err
}
