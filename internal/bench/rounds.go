package bench

import "slices"

// Round is one round of a row: both sides, measured one after the other.
type Round struct {
	// Ratio is that of the row's figure.
	Ratio    float64 `json:"ratio"`
	Measured Side    `json:"measured"`
	Baseline Side    `json:"baseline"`
}

// Side is one side of a round. CPU times and allocations are per operation.
type Side struct {
	Operations int     `json:"ops"`
	Workers    int     `json:"workers"`
	PerSecond  float64 `json:"per_s"`
	MeanUS     float64 `json:"mean_us"`
	P50US      float64 `json:"p50_us"`
	P99US      float64 `json:"p99_us"`
	// CPUUS is the CPU time of this process, including an embedded etcd, or of the program
	// of another store.
	CPUUS float64 `json:"cpu_us_per_op"`
	// EtcdCPUUS is the CPU time of the processes of all members, 0 if it is not known.
	EtcdCPUUS float64 `json:"etcd_cpu_us_per_op,omitempty"`
	// Allocations and AllocBytes are those of the same process as CPUUS.
	Allocations float64 `json:"allocs_per_op"`
	AllocBytes  float64 `json:"alloc_bytes_per_op"`
}

// CPU compares the CPU time per operation of both sides.
type CPU struct {
	// MeasuredUS and BaselineUS are the medians of the rounds, in microseconds.
	MeasuredUS float64 `json:"measured_us_per_op"`
	BaselineUS float64 `json:"baseline_us_per_op"`
	// Ratio is the median of the ratios of the rounds, and Spread the lowest and the
	// highest of them.
	Ratio  float64    `json:"ratio"`
	Spread [2]float64 `json:"spread"`
}

// newSide returns the figures of a sample.
func newSide(s *sample, workers int) Side {
	count := float64(max(s.latencies.count, 1))
	return Side{
		Operations: s.latencies.count, Workers: workers, PerSecond: float64(s.latencies.count) / s.elapsed.Seconds(),
		MeanUS: microseconds(s.latencies.mean()), P50US: microseconds(s.latencies.quantile(0.5)), P99US: microseconds(s.latencies.quantile(0.99)),
		CPUUS: microseconds(s.cpu.process) / count, EtcdCPUUS: microseconds(s.cpu.etcd) / count,
		Allocations: float64(s.allocations) / count, AllocBytes: float64(s.bytes) / count,
	}
}

// The sides of a round.

func measuredSide(r Round) Side { return r.Measured }
func baselineSide(r Round) Side { return r.Baseline }

// The figures of a side: latencies in microseconds, rates per second, CPU time per
// operation in microseconds.

func mean(s Side) float64      { return s.MeanUS }
func p50(s Side) float64       { return s.P50US }
func p99(s Side) float64       { return s.P99US }
func rate(s Side) float64      { return s.PerSecond }
func cpuOf(s Side) float64     { return s.CPUUS }
func etcdCPUOf(s Side) float64 { return s.EtcdCPUUS }

// figuresOf returns a figure of one side of each round.
func figuresOf(rounds []Round, side func(Round) Side, figure func(Side) float64) []float64 {
	figures := make([]float64, len(rounds))
	for i, round := range rounds {
		figures[i] = figure(side(round))
	}
	return figures
}

// newCPU compares a CPU time of the rounds. It returns nil if it was not measured, or the
// rounds were too short for the clock of the kernel.
func newCPU(rounds []Round, figure func(Side) float64) *CPU {
	measured, baseline := figuresOf(rounds, measuredSide, figure), figuresOf(rounds, baselineSide, figure)
	if slices.Min(measured) <= 0 || slices.Min(baseline) <= 0 {
		return nil
	}
	ratios := make([]float64, len(rounds))
	for i := range rounds {
		ratios[i] = measured[i] / baseline[i]
	}
	return &CPU{MeasuredUS: median(measured), BaselineUS: median(baseline), Ratio: median(ratios), Spread: spreadOf(ratios)}
}

// addDetails adds the figures of one side: the medians of the rounds, and means of all
// operations.
func addDetails(details map[string]float64, name string, rounds []Round, side func(Round) Side) {
	var operations, seconds float64
	for _, round := range rounds {
		operations += float64(side(round).Operations)
		seconds += float64(side(round).Operations) / side(round).PerSecond
	}
	meanOf := func(figure func(Side) float64) float64 {
		var sum float64
		for _, round := range rounds {
			sum += figure(side(round)) * float64(side(round).Operations)
		}
		return sum / operations
	}
	details[name+"_ops"] = operations
	details[name+"_mean_us"] = meanOf(mean)
	details[name+"_p50_us"] = median(figuresOf(rounds, side, p50))
	details[name+"_p99_us"] = median(figuresOf(rounds, side, p99))
	details[name+"_per_s"] = operations / seconds
	details[name+"_cpu_us_per_op"] = meanOf(cpuOf)
	if etcd := meanOf(etcdCPUOf); etcd > 0 {
		details[name+"_etcd_cpu_us_per_op"] = etcd
	}
	details[name+"_allocs_per_op"] = meanOf(func(s Side) float64 { return s.Allocations })
	details[name+"_alloc_bytes_per_op"] = meanOf(func(s Side) float64 { return s.AllocBytes })
}
