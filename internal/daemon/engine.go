package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/ports"
)

// closingEngine is an engine that has to be put away.
type closingEngine interface {
	ports.Engine
	Close() error
}

// openEngine opens the engine of the settings, nil for none. auto takes Docker
// where an engine answers, or else local processes; once a node has run games, it
// takes what they run on, or nothing. An engine by name that is another than that
// is refused: it would find all of the node's games gone.
func openEngine(ctx context.Context, cfg config.Config, store string, dir *nodeDir, logger *slog.Logger) (closingEngine, error) {
	was, err := dir.engine()
	if err != nil {
		return nil, err
	}
	if was != "" && cfg.Engine != config.EngineAuto && cfg.Engine != was {
		return nil, fmt.Errorf("--engine %s: this node's games run on the engine %s, and another one would take them for gone; clean them up and remove %s, or choose another --node",
			cfg.Engine, was, filepath.Join(dir.path, "engine"))
	}
	engine, err := chooseEngine(ctx, cfg, was, store, dir, logger.With("component", "engine"))
	if err != nil || engine == nil {
		return nil, err
	}
	if err := dir.keepEngine(string(engine.Kind())); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return engine, nil
}

func chooseEngine(ctx context.Context, cfg config.Config, was, store string, dir *nodeDir, logger *slog.Logger) (closingEngine, error) {
	switch cfg.Engine {
	case config.EngineDocker:
		return openDocker(ctx, cfg, store, logger)
	case config.EngineProcess:
		return openProcesses(cfg, store, dir, logger)
	}
	var faults []error
	if was != config.EngineProcess {
		docker, err := openDocker(ctx, cfg, store, logger)
		if err == nil {
			return docker, nil
		}
		faults = append(faults, err)
	}
	if was != config.EngineDocker {
		processes, err := openProcesses(cfg, store, dir, logger)
		if err == nil {
			return processes, nil
		}
		faults = append(faults, err)
	}
	logger.Warn("this node runs no games until it is started again", "games_run_on", was, "error", errors.Join(faults...))
	return nil, nil
}

func openDocker(ctx context.Context, cfg config.Config, store string, logger *slog.Logger) (closingEngine, error) {
	engine, err := dockerengine.Open(ctx, dockerengine.Config{
		Host: cfg.DockerHost, Store: store, Region: cfg.Region, Node: cfg.Node, Logger: logger,
		Network: cfg.DockerNetwork, Networks: cfg.DockerAllowNetwork,
		Endpoints: dockerengine.EndpointMode(cfg.DockerEndpoint), Address: cfg.DockerAddress,
		StateDir: cfg.DockerStateDir, User: cfg.DockerUser, PidsLimit: cfg.DockerPidsLimit, MemoryBytes: cfg.DockerMemoryBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("docker engine: %w", err)
	}
	return engine, nil
}

func openProcesses(cfg config.Config, store string, dir *nodeDir, logger *slog.Logger) (closingEngine, error) {
	if dir.path == "" {
		return nil, errors.New("the process engine needs --data-dir")
	}
	images := cfg.ImagesDir
	if images == "" {
		images = filepath.Join(cfg.DataDir, "images")
	}
	engine, err := processengine.Open(processengine.Config{
		Dir: dir.path, ImagesDir: images, Store: store, Region: cfg.Region, Node: cfg.Node, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("process engine: %w", err)
	}
	return engine, nil
}
