package dockerengine

import (
	"context"

	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/node"
)

// Machine returns the CPUs and the memory of the machine of the Docker Engine, which need not be that of this
// daemon. It returns container.ErrEngineUnavailable if the engine does not respond or does not report both.
func (e *Engine) Machine(ctx context.Context) (node.Capacity, error) {
	response, err := callWithTimeout(ctx, e.cfg.CallTimeout, "read the size of the machine", func(ctx context.Context) (client.SystemInfoResult, error) {
		return e.api.Info(ctx, client.InfoOptions{})
	})
	if err != nil {
		return node.Capacity{}, unavailable(err)
	}
	if response.Info.NCPU <= 0 || response.Info.MemTotal <= 0 {
		return node.Capacity{}, malformedResponse("its machine has %d CPUs and %d bytes of memory", response.Info.NCPU, response.Info.MemTotal)
	}
	return node.Capacity{CPUs: float64(response.Info.NCPU), MemoryBytes: response.Info.MemTotal}, nil
}
