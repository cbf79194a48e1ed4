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
// where an engine answers, or else local processes.
func openEngine(ctx context.Context, cfg config.Config, store string, dir *nodeDir, logger *slog.Logger) (closingEngine, error) {
	logger = logger.With("component", "engine")
	switch cfg.Engine {
	case config.EngineDocker:
		return openDocker(ctx, cfg, store, logger)
	case config.EngineProcess:
		return openProcesses(cfg, store, dir, logger)
	case config.EngineNone:
		return nil, nil
	}
	docker, dockerErr := openDocker(ctx, cfg, store, logger)
	if dockerErr == nil {
		return docker, nil
	}
	processes, err := openProcesses(cfg, store, dir, logger)
	if err == nil {
		logger.Info("no Docker Engine answers; games run as local processes", "docker", dockerErr)
		return processes, nil
	}
	logger.Warn("this node runs no games", "error", errors.Join(dockerErr, err))
	return nil, nil
}

func openDocker(ctx context.Context, cfg config.Config, store string, logger *slog.Logger) (closingEngine, error) {
	engine, err := dockerengine.Open(ctx, dockerengine.Config{
		Host: cfg.DockerHost, Network: cfg.DockerNetwork, Endpoints: dockerengine.EndpointMode(cfg.DockerEndpoint), Store: store, Region: cfg.Region, Node: cfg.Node, Logger: logger,
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
