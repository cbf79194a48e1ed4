package bench

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
	// CPUUS is the CPU time of this process, including an embedded etcd.
	CPUUS float64 `json:"cpu_us_per_op"`
	// EtcdCPUUS is the CPU time of the processes of all members, 0 if it is not known.
	EtcdCPUUS float64 `json:"etcd_cpu_us_per_op,omitempty"`
	// Allocations and AllocBytes are those of this process, including an embedded etcd.
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

func newSide(s *sample, workers int) Side {
	count := float64(max(s.latencies.count, 1))
	return Side{
		Operations: s.latencies.count, Workers: workers, PerSecond: rate(s),
		MeanUS: mean(s), P50US: microseconds(s.latencies.quantile(0.5)), P99US: p99(s),
		CPUUS: microseconds(s.cpu.process) / count, EtcdCPUUS: microseconds(s.cpu.etcd) / count,
		Allocations: float64(s.allocations) / count, AllocBytes: float64(s.bytes) / count,
	}
}

// newRounds returns the rounds of the samples.
func (c comparison) newRounds(samples roundSamples) []Round {
	rounds := make([]Round, len(samples.measured))
	for i := range rounds {
		m, b := samples.measured[i], samples.baseline[i]
		rounds[i] = Round{
			Ratio:    c.ratioOf(c.figure(m), c.figure(b)),
			Measured: newSide(m, samples.workers[0]), Baseline: newSide(b, samples.workers[1]),
		}
	}
	return rounds
}

// newCPU compares a CPU time of the rounds. It returns nil if it was not measured, or the
// rounds were too short for the clock of the kernel.
func newCPU(rounds []Round, figure func(Side) float64) *CPU {
	var measured, baseline, ratios []float64
	for _, round := range rounds {
		m, b := figure(round.Measured), figure(round.Baseline)
		if m <= 0 || b <= 0 {
			return nil
		}
		measured, baseline, ratios = append(measured, m), append(baseline, b), append(ratios, m/b)
	}
	if len(ratios) == 0 {
		return nil
	}
	return &CPU{MeasuredUS: median(measured), BaselineUS: median(baseline), Ratio: median(ratios), Spread: spreadOf(ratios)}
}

func processCPU(s Side) float64 { return s.CPUUS }
func etcdCPU(s Side) float64    { return s.EtcdCPUUS }
