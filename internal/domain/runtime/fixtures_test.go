package runtime_test

import (
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

func instant(n int) time.Time {
	return time.Date(2026, time.March, 1, 12, n, 0, 123456789, time.UTC)
}

func instantPtr(n int) *time.Time {
	at := instant(n)
	return &at
}

// record returns a valid record of the status.
func record(status runtime.Status) runtime.RuntimeRecord {
	r := runtime.RuntimeRecord{
		GameID: "game-1", Status: status, Region: "eu", Node: "n1", CurrentContainerID: "c1", CurrentImageRef: "engine:1",
		EngineEndpoint: "http://10.0.0.1", StatePath: "/state", DockerNetwork: "net", Generation: 2,
		CreatedAt: instant(0), LastOpAt: instant(1), StartedAt: instantPtr(1),
	}
	switch status {
	case runtime.StatusStopped:
		r.StoppedAt = instantPtr(2)
	case runtime.StatusRemoved:
		r.StoppedAt, r.RemovedAt, r.CurrentContainerID = instantPtr(2), instantPtr(3), ""
	default: // running as it is
	}
	return r
}
