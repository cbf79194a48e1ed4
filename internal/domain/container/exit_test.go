package container_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestEndedWithEngine(t *testing.T) {
	t.Parallel()
	restart := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before, after := restart.Add(-time.Minute), restart.Add(time.Hour)
	tests := []struct {
		name             string
		code             int // -1: unknown
		exited, recorded *time.Time
		restarted        *time.Time
		want             bool
	}{
		{"no restart", 137, &before, nil, nil, false},
		{"killed before the restart", 137, &before, &before, &restart, true},
		{"SIGTERM before the restart", 143, &before, &before, &restart, true},
		{"start failed during the shutdown", 128, &before, &before, &restart, true},
		{"power loss", 255, &before, &after, &restart, true},
		{"unknown exit", -1, nil, &after, &restart, true},
		{"crash before the restart", 3, &before, &before, &restart, false},
		{"failed to handle the shutdown, recorded after the restart", 1, &before, &after, &restart, true},
		{"exit after the restart", 0, &after, &after, &restart, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := container.Container{State: container.StateExited, ExitedAt: tt.exited, EngineRestartedAt: tt.restarted}
			if tt.code >= 0 {
				c.ExitCode = &tt.code
			}
			require.Equal(t, tt.want, c.EndedWithEngine(tt.recorded))
		})
	}
}
