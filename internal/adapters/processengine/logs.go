package processengine

import (
	"context"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
)

// shortenInterval is the time between two checks of the size of all logs.
const shortenInterval = time.Minute

// Logs implements ports.Engine. Bytes that are not UTF-8 are replaced by question marks.
func (e *Engine) Logs(ctx context.Context, containerID string, lines int) ([]string, error) {
	_, end, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	c, err := e.find(containerID)
	if err != nil {
		return nil, err
	}
	if _, err := e.inspect(c); err != nil {
		return nil, err
	}
	tail, err := c.log.Tail(lines)
	if err != nil {
		return nil, c.wrap("logs of", fmt.Errorf("%w: %w", container.ErrEngineUnavailable, err))
	}
	return tail, nil
}

// shortenLogsPeriodically shortens the logs every shortenInterval until the engine is closed.
func (e *Engine) shortenLogsPeriodically() {
	tick := time.NewTicker(shortenInterval)
	defer tick.Stop()
	for {
		select {
		case <-e.lifetime.Context().Done():
			return
		case <-tick.C:
			e.shortenLogs()
		}
	}
}

// shortenLogs drops all but the end of each log that is larger than MaxLogBytes.
func (e *Engine) shortenLogs() {
	for _, c := range e.allContainers() {
		if err := c.log.Shorten(e.cfg.MaxLogBytes); err != nil {
			e.log.Warn("cannot shorten a log", "container", c.id, "error", err)
		}
	}
}
