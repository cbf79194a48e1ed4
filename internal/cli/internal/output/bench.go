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
	if done, err := p.Encode(report); done {
		return err
	}
	t := &render.Table{Header: []string{"ROW", "RATIO", "NOISE", "TARGET", "RESULT", "MEASURED", "BASELINE"}}
	for _, row := range report.Rows {
		t.Add(row.Name, ratio(row.Ratio), ratio(row.Spread[0])+" to "+ratio(row.Spread[1]), row.Target, benchResult(row),
			figure(row.Measured, row.Unit)+quantiles(row, "measured"), figure(row.Baseline, row.Unit)+quantiles(row, "baseline"))
	}
	if err := t.Write(p.Out, !p.NoHeaders, nil); err != nil {
		return err
	}
	_, err := io.WriteString(p.Out, benchNotes(report))
	return err
}

// BenchRow summarizes one row of a report.
func BenchRow(row bench.Row) string {
	return fmt.Sprintf("%s: %s, target %s: %s", row.Name, ratio(row.Ratio), row.Target, benchResult(row))
}

func benchResult(row bench.Row) string {
	if row.Reached {
		return "reached"
	}
	return "not reached"
}

// quantiles returns the latencies of a side, empty if the row has none.
func quantiles(row bench.Row, side string) string {
	p50, measured := row.Details[side+"_p50_us"]
	if !measured {
		return ""
	}
	return fmt.Sprintf(", p50 %s, p99 %s", figure(p50, bench.UnitMicroseconds), figure(row.Details[side+"_p99_us"], bench.UnitMicroseconds))
}

// benchNotes describes what the rows compare, further measurements, and the machine.
func benchNotes(report bench.Report) string {
	var b strings.Builder
	for _, row := range report.Rows {
		fmt.Fprintf(&b, "\n%s: %s, compared with %s\n", row.Name, row.What, row.Against)
		for _, name := range slices.Sorted(maps.Keys(row.Details)) {
			fmt.Fprintf(&b, "  %s %s\n", name, number(row.Details[name]))
		}
	}
	m, o := report.Machine, report.Options
	fmt.Fprintf(&b, "\n%d cores, %s, %s/%s, %s etcd; %d records, %d writers, %d readers, %d subscribers, %s per side\n",
		m.Cores, m.Go, m.OS, m.Arch, m.Etcd, o.Records, o.Writers, o.Readers, o.Watchers,
		time.Duration(o.DurationSeconds*float64(time.Second)))
	fmt.Fprintln(&b, "allocations are those of the whole process, including an embedded etcd")
	return b.String()
}

func ratio(v float64) string { return number(v) + "×" }

// figure returns a value with its unit, for latencies in a unit of suitable size.
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

// number returns about three digits and never an exponent.
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
