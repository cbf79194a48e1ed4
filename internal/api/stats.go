package api

import "time"

// Stats is what a running game uses.
type Stats struct {
	GameID string    `json:"game_id" doc:"The game"`
	Region string    `json:"region" doc:"The region of the node"`
	Node   string    `json:"node" doc:"The node that runs the game"`
	At     time.Time `json:"at" doc:"When the usage was measured, by the clock of the node"`

	CPUSeconds       float64 `json:"cpu_seconds" doc:"For how long the processes have used a CPU since the start of the container; the use of CPUs is the difference of two measurements over the time between them"`
	MemoryBytes      int64   `json:"memory_bytes" doc:"Memory in use, without page cache that the kernel can drop"`
	MemoryLimitBytes int64   `json:"memory_limit_bytes,omitempty" doc:"The limit of the game, or with Docker the memory of the machine"`
	Processes        int     `json:"processes" doc:"The number of processes; with Docker, of processes and threads"`
}

// CPUs returns how many CPUs the game used between an earlier measurement and this one, and false if
// the game was restarted in between.
func (s Stats) CPUs(earlier Stats) (cpus float64, isKnown bool) {
	elapsed := s.At.Sub(earlier.At).Seconds()
	if elapsed <= 0 || s.CPUSeconds < earlier.CPUSeconds {
		return 0, false
	}
	return (s.CPUSeconds - earlier.CPUSeconds) / elapsed, true
}
