package container

import "time"

// Usage is what the processes of a container use.
type Usage struct {
	// At is when the usage was measured, by the clock of the engine.
	At time.Time `json:"at"`
	// CPUSeconds is the time for which the processes have used a CPU since the start of the
	// container. The use of CPUs is the difference of two measurements over the time between them.
	CPUSeconds float64 `json:"cpu_seconds"`
	// MemoryBytes is the memory in use, without page cache that the kernel can drop.
	MemoryBytes int64 `json:"memory_bytes"`
	// MemoryLimitBytes is the limit of the container, or the memory of the machine; 0 if it is not known.
	MemoryLimitBytes int64 `json:"memory_limit_bytes,omitempty"`
	// Processes is the number of processes; with Docker, of processes and threads.
	Processes int `json:"processes"`
}
