package output

import (
	"fmt"
	"io"
	"strings"

	"galaxy/rtmanager/internal/bench"
)

// FormatBenchmark is the format of Go benchmarks, which benchstat reads: see
// https://go.dev/design/14313-benchmark-format. Only bench has it.
const FormatBenchmark = "benchfmt"

// benchmarkPackage is the package that benchmarks are results of.
const benchmarkPackage = "galaxy/rtmanager/internal/bench"

// writeBenchmark writes one line per side of each round. A row without rounds has one line
// for its result.
func writeBenchmark(out io.Writer, report bench.Report) error {
	var b strings.Builder
	m, o := report.Machine, report.Options
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\npkg: %s\nrecords: %d\n", m.OS, m.Arch, benchmarkPackage, o.Records)
	for _, row := range report.Rows {
		if len(row.Rounds) == 0 {
			writeBenchmarkResult(&b, report, row)
		}
		for _, round := range row.Rounds {
			writeBenchmarkSide(&b, m, row, row.Sides[0], round.Measured)
			writeBenchmarkSide(&b, m, row, row.Sides[1], round.Baseline)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// writeBenchmarkSide writes the line of one side of a round.
func writeBenchmarkSide(b *strings.Builder, m bench.Machine, row bench.Row, name string, side bench.Side) {
	fmt.Fprintf(b, "%s %d %.1f ns/op", benchmarkName(m, row.Name, name, workersOf(row.Name, side)), side.Operations, 1e9/side.PerSecond)
	figure := func(value float64, unit string) {
		if value > 0 {
			fmt.Fprintf(b, " %.1f %s", value, unit)
		}
	}
	figure(side.MeanUS*1000, "mean-ns")
	figure(side.P50US*1000, "p50-ns")
	figure(side.P99US*1000, "p99-ns")
	figure(side.CPUUS*1000, "cpu-ns/op")
	figure(side.EtcdCPUUS*1000, "etcd-cpu-ns/op")
	fmt.Fprintf(b, " %.1f B/op %.2f allocs/op\n", side.AllocBytes, side.Allocations)
}

// writeBenchmarkResult writes the line of a row without rounds.
func writeBenchmarkResult(b *strings.Builder, report bench.Report, row bench.Row) {
	size := fmt.Sprintf("/records=%d", report.Options.Records)
	value, unit := row.Measured, row.Unit
	switch row.Unit {
	case bench.UnitMicroseconds:
		value, unit = value*1000, "ns/op"
	case bench.UnitWatches:
		size = fmt.Sprintf("/subscribers=%d", report.Options.Watchers)
	}
	fmt.Fprintf(b, "%s 1 %.1f %s", benchmarkName(report.Machine, row.Name, row.Sides[0], size), value, unit)
	for _, detail := range []struct{ name, unit string }{{"heap_bytes_per_record", "heap-B/record"}, {"ready_ms", "ready-ms"}} {
		if value, isMeasured := row.Details[fmt.Sprintf("%s_at_%d", detail.name, report.Options.Records)]; isMeasured {
			fmt.Fprintf(b, " %.1f %s", value, detail.unit)
		}
	}
	b.WriteByte('\n')
}

// benchmarkName returns a name such as BenchmarkUpdateRate/side=bare/members=3/writers=256-2.
func benchmarkName(m bench.Machine, row, side, size string) string {
	var b strings.Builder
	b.WriteString("Benchmark")
	for word := range strings.SplitSeq(row, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	fmt.Fprintf(&b, "/side=%s", strings.Join(strings.Fields(side), "_"))
	switch m.Etcd {
	case bench.EtcdMembers:
		fmt.Fprintf(&b, "/members=%d", m.Members)
	default:
		fmt.Fprintf(&b, "/etcd=%s", m.Etcd)
	}
	b.WriteString(size)
	if m.Cores > 1 {
		fmt.Fprintf(&b, "-%d", m.Cores)
	}
	return b.String()
}

// workersOf returns the part of a name for the workers of a row, which are not the same in
// every run.
func workersOf(row string, side bench.Side) string {
	switch {
	case strings.HasPrefix(row, "update-"):
		return fmt.Sprintf("/writers=%d", side.Workers)
	case strings.HasPrefix(row, "get-"):
		return fmt.Sprintf("/readers=%d", side.Workers)
	}
	return ""
}
