package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// resolveName completes a rename of this node, and checks that no games on this machine
// belong to a node of another name. It runs before this node joins the cluster and before
// its workers run, so the records have the new name when they do.
func (h *engineHost) resolveName(ctx context.Context, deps hostDependencies) error {
	others, err := h.listOtherNodes(ctx)
	if err != nil {
		if h.dir.name.Pending != nil {
			return fmt.Errorf("rename from %s: %w", h.dir.name.Pending, err)
		}
		deps.logger.Warn("cannot check for containers of other nodes", "error", err)
	}
	if former := h.dir.name.Pending; former != nil {
		if err := h.rename(ctx, deps, others[*former]); err != nil {
			return err
		}
		delete(others, *former)
	}
	if err := h.checkOtherNodes(ctx, deps, others); err != nil {
		return err
	}
	for _, other := range h.dir.idle {
		deps.logger.Info("the data directory has run games as another node before", "node", other.String())
	}
	return h.dir.commitName()
}

// listOtherNodes returns the Docker containers of this store that other nodes created, by
// their node. It first makes the engine own the containers that were taken over.
func (h *engineHost) listOtherNodes(ctx context.Context) (map[node.Ref][]container.Container, error) {
	docker, isDocker := h.engine.(*dockerengine.Engine)
	if !isDocker {
		return nil, nil
	}
	docker.TakeOver(h.dir.name.Containers)
	return docker.ListOtherNodes(ctx)
}

// rename takes over the games of the pending former name. containers are its Docker
// containers. Each step can be repeated: a crash is completed by the next start.
func (h *engineHost) rename(ctx context.Context, deps hostDependencies, containers []container.Container) error {
	name := &h.dir.name
	former := *name.Pending
	isNew := h.dir.stored.Pending == nil
	if isNew && h.dir.former == "" && len(containers) == 0 {
		return newOtherNodeError("--rename-from %s: this machine has no games of that node, neither in the data directory nor in Docker; check the name, or omit --rename-from", former)
	}
	if err := h.endFormerSession(ctx, deps, former); err != nil {
		return err
	}
	for _, c := range containers {
		name.Containers = append(name.Containers, c.ID)
	}
	slices.Sort(name.Containers)
	name.Containers = slices.Compact(name.Containers)
	if docker, isDocker := h.engine.(*dockerengine.Engine); isDocker {
		docker.TakeOver(name.Containers)
	}
	if err := h.dir.commitName(); err != nil {
		return err
	}
	count, err := renameGames(ctx, deps, former, name.Ref)
	if err != nil {
		return fmt.Errorf("rename from %s: %w; the next start continues", former, err)
	}
	// Another daemon may have taken the free name by now; its entry stays.
	if err := deps.members.RemoveNode(ctx, former); err != nil && !errors.Is(err, runtime.ErrNotFound) && !errors.Is(err, runtime.ErrConflict) {
		return fmt.Errorf("rename from %s: %w", former, err)
	}
	name.Pending = nil
	if err := h.dir.commitName(); err != nil {
		return err
	}
	deps.logger.Info("node renamed", "from", former.String(), "to", name.String(), "games", count)
	return nil
}

// endFormerSession ends the session of the former node if its daemon is dead. It returns an
// error if the node is present on another data directory.
func (h *engineHost) endFormerSession(ctx context.Context, deps hostDependencies, former node.Ref) error {
	nodes, err := deps.members.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("rename from %s: %w", former, err)
	}
	present, isPresent := node.Find(nodes, former)
	switch {
	case !isPresent:
		return nil
	case present.Identity != h.dir.identity && present.Identity != h.dir.former:
		isAlive, err := deps.members.IsAlive(ctx, present)
		if err != nil {
			return fmt.Errorf("rename from %s: %w", former, err)
		}
		if !isAlive {
			return nil
		}
		return newOtherNodeError("--rename-from %s: that node is present at %s, on another data directory; stop it first, or omit --rename-from", former, present.API)
	}
	// This process has the lock of the directory, so the daemon of the session is dead.
	if err := deps.members.EndSession(ctx, present); err != nil {
		return fmt.Errorf("rename from %s: %w", former, err)
	}
	return nil
}

// checkOtherNodes returns an otherNodeError if another node has containers in Docker, this
// node has none, and no daemon runs as the other one: it is probably this one under its former
// name. Daemons may share a Docker Engine, so a node that runs is no obstacle. If both nodes
// have containers, each may start first; checkOtherNodes then warns of an absent one.
func (h *engineHost) checkOtherNodes(ctx context.Context, deps hostDependencies, others map[node.Ref][]container.Container) error {
	if len(others) == 0 {
		return nil
	}
	local, localErr := h.engine.List(ctx, "")
	present, presentErr := deps.members.Nodes(ctx)
	if err := errors.Join(localErr, presentErr); err != nil {
		return fmt.Errorf("check the containers of other nodes in Docker: %w", err)
	}
	for ref, containers := range others {
		if len(local) == 0 {
			if err := h.requireAlive(ctx, deps, present, ref, containers); err != nil {
				return err
			}
			continue
		}
		if _, isPresent := node.Find(present, ref); !isPresent || slices.Contains(h.dir.idle, ref) {
			deps.logger.Warn("Docker has containers of a node that is absent; if this is that node under another name, restart with --rename-from",
				"node", ref.String(), "containers", namesOf(containers))
		}
	}
	return nil
}

// requireAlive returns an otherNodeError unless a daemon runs as the node other, to which the
// containers in Docker belong.
func (h *engineHost) requireAlive(ctx context.Context, deps hostDependencies, present []node.Node, other node.Ref, containers []container.Container) error {
	// No daemon has locked the directory of an idle node.
	if found, isPresent := node.Find(present, other); isPresent && !slices.Contains(h.dir.idle, other) {
		isAlive, err := deps.members.IsAlive(ctx, found)
		if err != nil {
			return fmt.Errorf("check whether node %s runs: %w", other, err)
		}
		if isAlive {
			return nil
		}
	}
	games := map[string]bool{}
	for _, c := range containers {
		games[c.Labels.GameID] = true
	}
	return newOtherNodeError("this Docker Engine has run games as node %s, which is absent and still has %d game(s) (containers %s) in Docker, so it cannot serve as node %s; start with --region %s --node %s, or take the games over with --rename-from %s; if another daemon runs as %s on this engine, start that one first",
		other, len(games), namesOf(containers), h.dir.name.Ref, other.Region, other.Name, other, other)
}

// namesOf returns the names of at most five containers.
func namesOf(containers []container.Container) string {
	const maxNames = 5
	var names []string
	for _, c := range containers[:min(len(containers), maxNames)] {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	text := strings.Join(names, ", ")
	if more := len(containers) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
