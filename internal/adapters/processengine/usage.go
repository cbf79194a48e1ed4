package processengine

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/procfs"
	"galaxy/rtmanager/internal/domain/container"
)

// Usage implements ports.Engine by the sum of all processes of the game. CPU time of processes that have exited
// counts once their parent has waited for them. Memory that processes share counts for each.
func (e *Engine) Usage(ctx context.Context, containerID string) (container.Usage, error) {
	_, end, err := e.begin(ctx)
	if err != nil {
		return container.Usage{}, err
	}
	defer end()
	c, err := e.find(containerID)
	if err != nil {
		return container.Usage{}, err
	}
	if _, err := e.inspect(c); err != nil {
		return container.Usage{}, err
	}
	r, err := c.currentRun()
	if err != nil || r == nil {
		return container.Usage{}, err
	}
	usage := container.Usage{At: time.Now().UTC(), MemoryLimitBytes: c.spec.MemoryBytes}
	for _, pid := range c.members(r) {
		used, isAlive := procfs.ReadUsage(pid)
		if !isAlive {
			continue
		}
		usage.CPUSeconds += used.CPU.Seconds()
		usage.MemoryBytes += used.MemoryBytes
		usage.Processes++
	}
	return usage, nil
}
