package dockerengine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/errdefs"
	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// Usage implements ports.Engine by one sample of the engine.
func (e *Engine) Usage(ctx context.Context, containerID string) (container.Usage, error) {
	found, err := e.inspectOwned(ctx, containerID)
	if err != nil || found.State != container.StateRunning {
		return container.Usage{}, wrapUsage(err)
	}
	stats, err := callWithTimeout(ctx, e.cfg.CallTimeout, "container "+containerID, func(ctx context.Context) (stats mobycontainer.StatsResponse, err error) {
		response, err := e.api.ContainerStats(ctx, containerID, client.ContainerStatsOptions{})
		if err != nil {
			return stats, err
		}
		defer func() { _ = response.Body.Close() }()
		return stats, json.NewDecoder(response.Body).Decode(&stats)
	})
	switch {
	case errdefs.IsNotFound(err):
		return container.Usage{}, wrapUsage(e.confirmMissing(ctx, containerID))
	case err != nil:
		return container.Usage{}, wrapUsage(unavailable(err))
	case stats.Read.IsZero(): // it has exited in the meantime
		return container.Usage{}, nil
	}
	return usageOf(stats), nil
}

func wrapUsage(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("usage: %w", err)
}

// usageOf translates a sample. The page cache that the kernel can drop does not count, as in docker stats:
// its name differs between the versions of control groups.
func usageOf(stats mobycontainer.StatsResponse) container.Usage {
	memory := stats.MemoryStats
	cache := memory.Stats["inactive_file"]
	if total, isFirstVersion := memory.Stats["total_inactive_file"]; isFirstVersion {
		cache = total
	}
	return container.Usage{
		At: stats.Read.UTC(), CPUSeconds: float64(stats.CPUStats.CPUUsage.TotalUsage) / 1e9,
		MemoryBytes: int64(memory.Usage - min(cache, memory.Usage)), MemoryLimitBytes: int64(memory.Limit), Processes: int(stats.PidsStats.Current),
	}
}
