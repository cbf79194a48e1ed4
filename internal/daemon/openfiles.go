package daemon

import (
	"fmt"
	"log/slog"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/config"
)

const (
	// minOpenFiles is the smallest limit of open files with which a daemon starts. The
	// embedded etcd reserves 150 for itself and ends the process below that.
	minOpenFiles = 192
	// minReservedFiles is how many open files etcd, store and engine have at least.
	minReservedFiles = 128
	// lowOpenFiles is the limit below which the daemon warns.
	lowOpenFiles = 1024
	// maxStreams is the most watch streams of a daemon.
	maxStreams = 20_000
)

// connectionLimits are the limits of the API that follow from the limit of open files.
// Every connection takes a file.
type connectionLimits struct{ connections, streams int }

// newConnectionLimits divides the open files of the process. It reserves a quarter, and
// at least minReservedFiles, for etcd, store, engine and forwarded requests. Watch streams
// get three quarters of the connections, since they would keep them for good.
func newConnectionLimits(openFiles uint64) (connectionLimits, error) {
	if openFiles < minOpenFiles {
		return connectionLimits{}, fmt.Errorf("the limit of open files is %d, but a daemon needs at least %d; raise it with `ulimit -n`, or with LimitNOFILE of systemd", openFiles, minOpenFiles)
	}
	reserved := max(minReservedFiles, openFiles/4)
	connections := int(min(openFiles-reserved, 1<<20))
	return connectionLimits{connections: connections, streams: min(max(connections*3/4, 1), maxStreams)}, nil
}

// limitConnections returns the limits of this process, and logs them.
func limitConnections(logger *slog.Logger) (connectionLimits, error) {
	openFiles, err := openFilesLimit()
	if err != nil {
		return connectionLimits{}, fmt.Errorf("read the limit of open files: %w", err)
	}
	limits, err := newConnectionLimits(openFiles)
	if err != nil {
		return connectionLimits{}, err
	}
	if openFiles < lowOpenFiles {
		logger.Warn("the limit of open files is low: the API accepts few connections; raise it with `ulimit -n`, or with LimitNOFILE of systemd",
			"open_files", openFiles, "max_connections", limits.connections, "max_streams", limits.streams)
		return limits, nil
	}
	logger.Info("limits of the API", "open_files", openFiles, "max_connections", limits.connections, "max_streams", limits.streams)
	return limits, nil
}

// maxFailures is the number of failed authentications per second of one address.
const maxFailures = 10

// callerLimits returns the limits of one caller of the API.
func callerLimits(cfg config.Config, limits connectionLimits) httpserver.Limits {
	effective := cfg.EffectiveLimits(int64(limits.connections))
	return httpserver.Limits{
		ReadRate: float64(effective.LimitRate), WriteRate: float64(effective.LimitWriteRate),
		Concurrency: int(effective.LimitConcurrency), Streams: int(effective.LimitStreams), Connections: int(effective.LimitConnections),
		Failures: maxFailures,
	}
}
