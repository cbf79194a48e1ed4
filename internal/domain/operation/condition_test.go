package operation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// TestGameIsHealthyWhenItsStartHasAwaitedThat finishes an operation on a game with a health check. Its
// record has the health unknown since the start.
func TestGameIsHealthyWhenItsStartHasAwaitedThat(t *testing.T) {
	t.Parallel()
	const second = time.Second
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		outcome     operation.Outcome
		start       time.Duration // of the run, after the operation was accepted
		healthSince time.Duration
		expected    runtime.Health
	}{
		"start":                            {operation.Outcome{Kind: operation.KindStart}, second, second, runtime.HealthHealthy},
		"restart":                          {operation.Outcome{Kind: operation.KindRestart}, second, second, runtime.HealthHealthy},
		"patch":                            {operation.Outcome{Kind: operation.KindPatch}, second, second, runtime.HealthHealthy},
		"patch that keeps the game":        {operation.Outcome{Kind: operation.KindPatch}, -second, -second, runtime.HealthUnknown},
		"move":                             {operation.Outcome{Kind: operation.KindMove}, second, second, runtime.HealthHealthy},
		"move to a slow clock":             {operation.Outcome{Kind: operation.KindMove}, -time.Hour, -time.Hour, runtime.HealthHealthy},
		"reschedule, which checks nothing": {operation.Outcome{Kind: operation.KindReschedule}, second, second, runtime.HealthUnknown},
		"start on a second node":           {operation.Outcome{Kind: operation.KindStart, Attempts: make([]operation.Attempt, 1)}, -time.Hour, -time.Hour, runtime.HealthHealthy},
		"failed move":                      {operation.Outcome{Kind: operation.KindMove, Failure: &operation.Failure{}}, second, second, runtime.HealthUnknown},
		"stop":                             {operation.Outcome{Kind: operation.KindStop}, -second, -second, runtime.HealthUnknown},
		"later start after a move":         {operation.Outcome{Kind: operation.KindMove}, time.Minute, time.Minute, runtime.HealthUnknown},
		"engine away after a move":         {operation.Outcome{Kind: operation.KindMove}, second, time.Minute, runtime.HealthUnknown},
		"engine away after a reschedule":   {operation.Outcome{Kind: operation.KindReschedule}, second, time.Minute, runtime.HealthUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			startedAt, healthSince := noon.Add(c.start), noon.Add(c.healthSince)
			record := runtime.RuntimeRecord{Status: runtime.StatusRunning, CurrentContainerID: "c", StartedAt: &startedAt}
			record.Health, record.HealthSince = runtime.HealthUnknown, &healthSince
			c.outcome.StartedAt, c.outcome.FinishedAt = noon, noon.Add(10*second)
			if c.start < -time.Minute { // by the clock of the node that started and finished it
				c.outcome.FinishedAt = noon.Add(c.start + second)
			}
			intent := operation.Intent{DesiredStatus: runtime.StatusRunning, Recent: []operation.Outcome{c.outcome}}
			require.Equal(t, c.expected, intent.ConditionOf(record, noon.Add(time.Hour)).Health)
		})
	}
}
