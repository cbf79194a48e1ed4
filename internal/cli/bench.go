package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
)

func (a *app) benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the store against bare etcd on this machine",
		Long: `Bench measures what the store does with an etcd, each figure against what bare
etcd does for the same work, in turns on the same cluster, so that the ratios hold
on a slow machine as on a fast one. It says which targets are reached, how much
the ratio differed from round to round, and the figures of both sides.

It talks to no daemon. Without --etcd-endpoints it runs an etcd of its own, in a
temporary directory (TMPDIR says where) that it removes. With them it loads that
cluster heavily for as long as it runs; it writes below a prefix of its own,
/rtmanager-bench/ID, and removes that at the end, also when it is interrupted.
Only flags count here and not the environment, so that no cluster is loaded by
accident.

A target that is not reached is no error: the exit code is 0 once everything has
been measured.`,
		Example: `  rtmanager bench
  rtmanager bench --records 1000000 --row growth
  rtmanager bench --row update-rate --row update-latency --writers 1024
  rtmanager bench --etcd-endpoints http://10.0.0.1:2379 --duration 20s
  rtmanager bench -o json | jq '.rows[] | select(.reached | not) | .name'`,
		Args: noArguments,
	}
	options := bench.Default()
	flags := cmd.Flags()
	flags.IntVar(&options.Writers, "writers", options.Writers, "`N` that update at once, each a game of its own")
	flags.IntVar(&options.Readers, "readers", options.Readers, "`N` that get at once")
	flags.IntVar(&options.Watchers, "watchers", options.Watchers, "`N` that subscribe at once")
	flags.IntVar(&options.Records, "records", options.Records, "`N` records in the store")
	flags.DurationVar(&options.Duration, "duration", options.Duration, "how long each side of a ratio is measured")
	flags.StringArrayVar(&options.Rows, "row", nil, "measure only the row of this `NAME`, repeatable: "+strings.Join(bench.RowNames(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("row", cobra.FixedCompletions(bench.RowNames(), cobra.ShellCompDirectiveNoFileComp))
	cluster := bindCluster(flags)
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		cfg, err := cluster.load()
		if err := errors.Join(options.Validate(), err); err != nil {
			return usageError{err: err, see: cmd.CommandPath()}
		}
		return a.bench(cmd.Context(), cfg, options)
	})
	return cmd
}

// clusterFlags are the flags of serve that say which etcd to use.
type clusterFlags struct {
	all    *pflag.FlagSet // of serve
	loader *config.Loader
}

// bindCluster declares them.
func bindCluster(flags *pflag.FlagSet) clusterFlags {
	all := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	loader := config.Bind(all, func(string) (string, bool) { return "", false })
	for _, name := range []string{
		"endpoints", "prefix", "cacert", "cert", "key", "user", "password-file", "dial-timeout",
	} {
		flags.AddFlag(all.Lookup("etcd-" + name))
	}
	return clusterFlags{all: all, loader: loader}
}

// load returns settings that lack only a data directory.
func (f clusterFlags) load() (config.Config, error) {
	// What a daemon would take may be in use by one, or not be there.
	for name, value := range map[string]string{"data-dir": os.TempDir(), "etcd-listen-client": "http://127.0.0.1:0"} {
		if err := f.all.Set(name, value); err != nil {
			return config.Config{}, err
		}
	}
	return f.loader.Load()
}

// bench opens etcd, measures, and shows what was measured, also when something
// went wrong after that.
func (a *app) bench(ctx context.Context, cfg config.Config, options bench.Options) (err error) {
	a.daemon = true // hints about one do not apply
	if cfg.Embedded() {
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

	talk := &benchTalk{out: a.streams.Err, terminal: isTerminal(a.streams.Err), headline: "etcd at " + etcd.URLs}
	report, err := bench.Run(ctx, bench.Cluster{
		Client: etcd.Client, WatchClient: etcd.WatchClient, Embedded: cfg.Embedded(),
		Prefix: strings.TrimRight(cfg.EtcdPrefix, "/"), OpenTimeout: cfg.EtcdDialTimeout,
	}, options, talk.tell)
	talk.end()
	if len(report.Rows) > 0 {
		err = errors.Join(a.printBench(report), err)
	}
	if _, left := errors.AsType[*bench.LeftoverError](err); left {
		return writeError{err: err} // is told even to whoever interrupts
	}
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// benchTalk tells how far a run is: on a terminal in one line that changes, and
// elsewhere in a line for each thing that has begun and each row.
type benchTalk struct {
	out      io.Writer
	terminal bool
	headline string // told first
	doing    string
	begun    time.Time
}

func (t *benchTalk) tell(p bench.Progress) {
	if t.headline != "" {
		fmt.Fprintf(t.out, "rtmanager: bench: %s\n", printable(t.headline))
		t.headline = ""
	}
	switch {
	case t.terminal:
		t.redraw(p)
	case p.Finished != nil:
		fmt.Fprintf(t.out, "rtmanager: bench: %s\n", finished(*p.Finished))
	case p.Doing != t.doing:
		fmt.Fprintf(t.out, "rtmanager: bench: %s …\n", printable(p.Doing))
	}
	t.doing = p.Doing
}

func (t *benchTalk) redraw(p bench.Progress) {
	if p.Doing != t.doing {
		t.begun = time.Now()
	}
	text := printable(p.Doing)
	if p.Total > 0 {
		text += fmt.Sprintf(" %d of %d", p.Done, p.Total)
	}
	if p.Finished != nil {
		text = finished(*p.Finished)
	}
	fmt.Fprintf(t.out, "\r\x1b[Krtmanager: bench: %s (%s)", text, age(time.Since(t.begun)))
}

// end takes the changing line away.
func (t *benchTalk) end() {
	if t.terminal {
		fmt.Fprint(t.out, "\r\x1b[K")
	}
}

func finished(row bench.Row) string {
	return fmt.Sprintf("%s: %s, target %s: %s", row.Name, ratio(row.Ratio), row.Target, verdict(row))
}

func verdict(row bench.Row) string {
	if row.Reached {
		return "reached"
	}
	return "not reached"
}

func (a *app) printBench(report bench.Report) error {
	if encoder, ok := a.encoder(a.streams.Out); ok {
		return encoder.encode(report)
	}
	t := &table{header: []string{"ROW", "RATIO", "NOISE", "TARGET", "RESULT", "OURS", "THEIRS"}}
	for _, row := range report.Rows {
		t.add(row.Name, ratio(row.Ratio), ratio(row.Spread[0])+" to "+ratio(row.Spread[1]), row.Target, verdict(row),
			figure(row.Ours, row.Unit)+quantiles(row, "ours"), figure(row.Theirs, row.Unit)+quantiles(row, "theirs"))
	}
	if err := t.write(a.streams.Out, !a.globals.noHeaders, nil); err != nil {
		return err
	}
	_, err := io.WriteString(a.streams.Out, benchNotes(report))
	return err
}

// quantiles are the latencies of a side, empty where the row has none.
func quantiles(row bench.Row, side string) string {
	p50, measured := row.Details[side+"_p50_us"]
	if !measured {
		return ""
	}
	return fmt.Sprintf(", p50 %s, p99 %s", figure(p50, bench.UnitMicroseconds), figure(row.Details[side+"_p99_us"], bench.UnitMicroseconds))
}

// benchNotes says what the rows compare, where, and everything else that was
// measured.
func benchNotes(report bench.Report) string {
	var b strings.Builder
	for _, row := range report.Rows {
		fmt.Fprintf(&b, "\n%s: %s, against %s\n", row.Name, row.What, row.Against)
		for _, name := range slices.Sorted(maps.Keys(row.Details)) {
			fmt.Fprintf(&b, "  %s %s\n", name, number(row.Details[name]))
		}
	}
	m, o := report.Machine, report.Options
	fmt.Fprintf(&b, "\n%d cores, %s, %s/%s, %s etcd; %d records, %d writers, %d readers, %d subscribers, %s a side\n",
		m.Cores, m.Go, m.OS, m.Arch, m.Etcd, o.Records, o.Writers, o.Readers, o.Watchers,
		time.Duration(o.DurationSeconds*float64(time.Second)))
	fmt.Fprintln(&b, "allocations are the whole process's, an embedded etcd's among them")
	return b.String()
}

func ratio(v float64) string { return number(v) + "×" }

// figure writes a value with its unit, latencies in the unit that suits them.
func figure(v float64, unit string) string {
	switch {
	case unit == bench.UnitPerSecond:
		return number(v) + "/s"
	case unit == bench.UnitWatches:
		if v == 1 {
			return "1 watch"
		}
		return number(v) + " watches"
	case unit != bench.UnitMicroseconds:
		return number(v) + " " + unit
	case v >= 1e6:
		return number(v/1e6) + " s"
	case v >= 1e3:
		return number(v/1e3) + " ms"
	}
	return number(v) + " µs"
}

// number writes about three digits, and never an exponent.
func number(v float64) string {
	decimals := 0
	switch {
	case v != 0 && v < 0.1:
		decimals = 4
	case v < 10:
		decimals = 2
	case v < 100:
		decimals = 1
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
