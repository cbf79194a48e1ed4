package health

import (
	"cmp"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// probeResult is the result of the latest probes of one run of a game.
type probeResult struct {
	containerID string
	startedAt   time.Time
	failures    int  // in a row
	hasPassed   bool // a probe of this run has passed
	threshold   int  // of failures
	probedAt    time.Time
	lastErr     error // not updated while the game is unhealthy
}

// isForRun reports whether the result belongs to the run that the record describes.
func (p *probeResult) isForRun(record runtime.RuntimeRecord) bool {
	return p.containerID == record.CurrentContainerID && p.startedAt.Equal(startTime(record))
}

// startTime returns when the record's run started; zero if another writer left that out.
func startTime(record runtime.RuntimeRecord) time.Time {
	if record.StartedAt == nil {
		return time.Time{}
	}
	return *record.StartedAt
}

// Unhealthy describes how the game has failed its probes in the run that the record
// describes; empty if it has not. The result of another run does not count.
func (w *Worker) Unhealthy(record runtime.RuntimeRecord) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.results[record.GameID]
	if w.isSuspended || p == nil || !p.isForRun(record) || p.failures < p.threshold {
		return ""
	}
	// The text has no exact count: a finding with another text would be a new finding.
	return fmt.Sprintf("container %s failed at least %d health checks in a row: %s", p.containerID, p.threshold, p.lastErr.Error())
}

// Health returns the health of the game in the run that the record describes, by its probes. It
// is empty before the first probe has passed or the threshold of failures in a row is reached.
func (w *Worker) Health(record runtime.RuntimeRecord) runtime.Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.results[record.GameID]
	if w.isSuspended || p == nil || !p.isForRun(record) {
		return ""
	}
	return p.health()
}

// health returns the health by the probes; empty if they are too few.
func (p *probeResult) health() runtime.Health {
	switch {
	case p.failures >= p.threshold:
		return runtime.HealthUnhealthy
	case p.hasPassed:
		return runtime.HealthHealthy
	default:
		return ""
	}
}

// Suspend discards all results, and those of the probes until Resume: while the engine is
// away, the ports that it forwards to games are away too.
func (w *Worker) Suspend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isSuspended = true
	w.epoch++
	clear(w.results)
}

// Resume discards all results, and counts those of the probes that begin from now on.
func (w *Worker) Resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isSuspended = false
	w.epoch++
	clear(w.results)
}

// currentEpoch returns the number of calls of Suspend and Resume.
func (w *Worker) currentEpoch() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.epoch
}

// isDue reports whether the game is to be probed: its start delay has passed, and its interval
// since the latest probe. A tenth of the interval is tolerated, since passes have a jitter. A
// heartbeat is read at each pass.
func (w *Worker) isDue(record runtime.RuntimeRecord, check operation.HealthCheck) bool {
	if delay := time.Duration(check.StartDelay); delay > 0 && time.Since(startTime(record)) < delay {
		return false
	}
	if check.Kind == operation.HealthKindHeartbeat {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.results[record.GameID]
	return p == nil || !p.isForRun(record) || time.Since(p.probedAt) >= time.Duration(check.Interval)*9/10
}

// recordProbe records one probe that started in the epoch. It enqueues the game if its health
// has changed, or if the record states another one.
func (w *Worker) recordProbe(record runtime.RuntimeRecord, check operation.HealthCheck, err error, epoch int) {
	w.mu.Lock()
	if w.isSuspended || epoch != w.epoch {
		w.mu.Unlock()
		return
	}
	p := w.results[record.GameID]
	if p == nil || !p.isForRun(record) {
		p = &probeResult{containerID: record.CurrentContainerID, startedAt: startTime(record)}
		w.results[record.GameID] = p
	}
	p.threshold, p.probedAt = cmp.Or(check.FailureThreshold, w.cfg.Failures), time.Now()
	wasUnhealthy := p.failures >= p.threshold
	if !wasUnhealthy {
		// The error of an unhealthy game does not change: errors contain ports that differ
		// in each attempt, and a finding with another text would be a new finding.
		p.lastErr = err
	}
	if err == nil {
		p.failures, p.hasPassed = 0, true
	} else {
		p.failures++
	}
	health := p.health()
	w.mu.Unlock()
	isUnhealthy := health == runtime.HealthUnhealthy
	if wasUnhealthy != isUnhealthy || health != "" && record.Health != "" && record.Health != health {
		w.deps.Queue.Enqueue(record.GameID)
	}
}

// removeResult removes the result of the game.
func (w *Worker) removeResult(gameID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.results, gameID)
}

// isSuspect reports whether the latest probe of the game failed.
func (w *Worker) isSuspect(gameID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.results[gameID]
	return p != nil && p.failures > 0
}

// pruneResults removes the results of all games that are not running.
func (w *Worker) pruneResults(running []ports.SharedRecord) {
	isRunning := make(map[string]bool, len(running))
	for _, found := range running {
		isRunning[found.Record.GameID] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for gameID := range w.results {
		if !isRunning[gameID] {
			delete(w.results, gameID)
		}
	}
}
