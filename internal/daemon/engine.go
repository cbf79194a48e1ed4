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
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/ports"
)

// engine is an engine that must be closed.
type engine interface {
	ports.Engine
	Close() error
}

// openEngine opens the engine of the settings, and returns nil if there is none. The
// setting auto selects Docker if its engine responds, and otherwise local processes. Once a
// node has run games, auto selects only their engine. A setting that names another engine
// is then an error: that engine would not find the containers of the node's games.
func openEngine(ctx context.Context, deps hostDependencies, dir *nodeDir) (engine, error) {
	cfg := deps.cfg
	previous, err := dir.engine()
	if err != nil {
		return nil, err
	}
	if previous != "" && cfg.Engine != config.EngineAuto && cfg.Engine != previous {
		return nil, fmt.Errorf("--engine %s: this node's games run on the engine %s, and another one would not find them; clean them up and remove %s, or choose another --node",
			cfg.Engine, previous, filepath.Join(dir.path, "engine"))
	}
	opened, err := selectEngine(ctx, deps, previous, dir, deps.logger.With("component", "engine"))
	if err != nil || opened == nil {
		return nil, err
	}
	if err := dir.setEngine(string(opened.Kind())); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

// selectEngine returns nil if the setting is auto and no engine can be opened.
func selectEngine(ctx context.Context, deps hostDependencies, previous string, dir *nodeDir, logger *slog.Logger) (engine, error) {
	switch deps.cfg.Engine {
	case config.EngineDocker:
		return openDocker(ctx, deps, logger)
	case config.EngineProcess:
		return openProcesses(deps, dir, logger)
	}
	var faults []error
	if previous != config.EngineProcess {
		docker, err := openDocker(ctx, deps, logger)
		if err == nil {
			return docker, nil
		}
		faults = append(faults, err)
	}
	if previous != config.EngineDocker {
		processes, err := openProcesses(deps, dir, logger)
		if err == nil {
			return processes, nil
		}
		faults = append(faults, err)
	}
	logger.Warn("no engine available: this node runs no games until its daemon restarts", "previous_engine", previous, "error", errors.Join(faults...))
	return nil, nil
}

func openDocker(ctx context.Context, deps hostDependencies, logger *slog.Logger) (engine, error) {
	cfg := deps.cfg
	gamePorts, err := gameports.ParseRange(cfg.GamePorts)
	if err != nil {
		return nil, fmt.Errorf("--game-ports %w", err)
	}
	docker, err := dockerengine.Open(ctx, dockerengine.Config{
		Host: cfg.DockerHost, Store: deps.store.ID(), Region: cfg.Region, Node: cfg.Node, Logger: logger,
		Network: cfg.DockerNetwork, Networks: cfg.DockerAllowNetwork,
		Endpoints: dockerengine.EndpointMode(cfg.DockerEndpoint), Address: cfg.DockerAddress,
		StateDir: cfg.DockerStateDir, User: cfg.DockerUser, PidsLimit: cfg.DockerPidsLimit, MemoryBytes: cfg.DockerMemoryBytes, Secrets: deps.secrets, Registries: deps.secrets,
		GamePorts: gamePorts, PublicAddress: cfg.PublicAddress,
	})
	if err != nil {
		return nil, fmt.Errorf("docker engine: %w", err)
	}
	return docker, nil
}

func openProcesses(deps hostDependencies, dir *nodeDir, logger *slog.Logger) (engine, error) {
	cfg := deps.cfg
	if dir.path == "" {
		return nil, errors.New("the process engine needs --data-dir")
	}
	gamePorts, err := gameports.ParseRange(cfg.GamePorts)
	if err != nil {
		return nil, fmt.Errorf("--game-ports %w", err)
	}
	images := cfg.ImagesDir
	if images == "" {
		images = filepath.Join(cfg.DataDir, "images")
	}
	processes, err := processengine.Open(processengine.Config{
		Dir: dir.path, ImagesDir: images, Store: deps.store.ID(), Region: cfg.Region, Node: cfg.Node, Former: dir.name.Former, Secrets: deps.secrets, Logger: logger,
		GamePorts: gamePorts, PublicAddress: cfg.PublicAddress,
	})
	if err != nil {
		return nil, fmt.Errorf("process engine: %w", err)
	}
	return processes, nil
}
