package runtime_test

import (
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// timeAt returns the n-th minute after a fixed time.
func timeAt(n int) time.Time {
	return time.Date(2026, time.March, 1, 12, n, 0, 123456789, time.UTC)
}

func timePtrAt(n int) *time.Time {
	at := timeAt(n)
	return &at
}

// record returns a valid record of the status.
func record(status runtime.Status) runtime.RuntimeRecord {
	r := runtime.RuntimeRecord{
		GameID: "game-1", Status: status, Region: "eu", Node: "n1", CurrentContainerID: "c1", CurrentImageRef: "engine:1",
		EngineEndpoint: "http://10.0.0.1", StatePath: "/state", DockerNetwork: "net", Generation: 2,
		CreatedAt: timeAt(0), LastOpAt: timeAt(1), StartedAt: timePtrAt(1),
	}
	switch status {
	case runtime.StatusStopped:
		r.StoppedAt = timePtrAt(2)
	case runtime.StatusRemoved:
		r.StoppedAt, r.RemovedAt, r.CurrentContainerID = timePtrAt(2), timePtrAt(3), ""
	default: // running: no further fields
	}
	return r
}
