package output

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// Bench prints the report of a benchmark.
func (p *Printer) Bench(report bench.Report) error {
	if p.Format == FormatBenchmark {
		return writeBenchmark(p.Out, report)
	}
	if done, err := p.Encode(report); done {
		return err
	}
	t := &render.Table{Header: []string{"ROW", "RATIO", "NOISE", "TARGET", "RESULT", "MEASURED", "BASELINE", "CPU/OP", "ETCD CPU/OP"}}
	for _, row := range report.Rows {
		t.Add(row.Name, formatRatio(row.Ratio), formatRatio(row.Spread[0])+" to "+formatRatio(row.Spread[1]), row.Target, benchResult(row),
			formatFigure(row.Measured, row.Unit)+formatQuantiles(row, "measured"), formatFigure(row.Baseline, row.Unit)+formatQuantiles(row, "baseline"),
			formatCPU(row.CPU), formatCPU(row.EtcdCPU))
	}
	if err := t.Write(p.Out, !p.NoHeaders, nil); err != nil {
		return err
	}
	_, err := io.WriteString(p.Out, benchNotes(report))
	return err
}

// BenchRow summarizes one row of a report.
func BenchRow(row bench.Row) string {
	return fmt.Sprintf("%s: %s, target %s: %s", row.Name, formatRatio(row.Ratio), row.Target, benchResult(row))
}

func benchResult(row bench.Row) string {
	if row.Reached {
		return "reached"
	}
	return "not reached"
}

// formatQuantiles returns the latencies of one side, empty if the row has none.
func formatQuantiles(row bench.Row, side string) string {
	p50, measured := row.Details[side+"_p50_us"]
	if !measured {
		return ""
	}
	return fmt.Sprintf(", p50 %s, p99 %s", formatFigure(p50, bench.UnitMicroseconds), formatFigure(row.Details[side+"_p99_us"], bench.UnitMicroseconds))
}

// formatCPU returns the CPU times of both sides and their ratio.
func formatCPU(c *bench.CPU) string {
	if c == nil {
		return "-"
	}
	return fmt.Sprintf("%s against %s, %s (%s to %s)", formatFigure(c.MeasuredUS, bench.UnitMicroseconds), formatFigure(c.BaselineUS, bench.UnitMicroseconds),
		formatRatio(c.Ratio), formatRatio(c.Spread[0]), formatRatio(c.Spread[1]))
}

// formatEtcd describes the cluster of a run.
func formatEtcd(m bench.Machine) string {
	switch {
	case m.Etcd != bench.EtcdMembers:
		return m.Etcd + " etcd"
	case m.Members == 1:
		return "etcd of 1 member in its own process"
	}
	return fmt.Sprintf("etcd of %d members in their own processes", m.Members)
}

// benchNotes describes what the rows compare, further measurements, and the machine.
func benchNotes(report bench.Report) string {
	var b strings.Builder
	for _, row := range report.Rows {
		fmt.Fprintf(&b, "\n%s: %s, compared with %s\n", row.Name, row.What, row.Against)
		for _, name := range slices.Sorted(maps.Keys(row.Details)) {
			fmt.Fprintf(&b, "  %s %s\n", name, formatNumber(row.Details[name]))
		}
	}
	m, o := report.Machine, report.Options
	fmt.Fprintf(&b, "\n%d cores, %s, %s/%s, %s; %d records, %d writers, %d readers, %d subscribers, %s per side\n",
		m.Cores, m.Go, m.OS, m.Arch, formatEtcd(m), o.Records, o.Writers, o.Readers, o.Watchers,
		time.Duration(o.DurationSeconds*float64(time.Second)))
	fmt.Fprintln(&b, "CPU/OP and allocations are those of this process, including an embedded etcd; ETCD CPU/OP is that of the processes of all members")
	return b.String()
}

func formatRatio(v float64) string { return formatNumber(v) + "×" }

// formatFigure returns a value with its unit. It selects a suitable unit for latencies.
func formatFigure(v float64, unit string) string {
	switch {
	case unit == bench.UnitPerSecond:
		return formatNumber(v) + "/s"
	case unit == bench.UnitWatches:
		if v == 1 {
			return "1 watch"
		}
		return formatNumber(v) + " watches"
	case unit != bench.UnitMicroseconds:
		return formatNumber(v) + " " + unit
	case v >= 1e6:
		return formatNumber(v/1e6) + " s"
	case v >= 1e3:
		return formatNumber(v/1e3) + " ms"
	}
	return formatNumber(v) + " µs"
}

// formatNumber returns the number with about three digits and without an exponent.
func formatNumber(v float64) string {
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
