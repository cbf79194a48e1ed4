package gameports

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

// ErrReserved is returned if a port belongs to another game.
var ErrReserved = errors.New("port is reserved")

// Reserved holds the ports that the containers of a node have, also those that do not run.
type Reserved map[Key]holder

// holder is a game whose containers have a port.
type holder struct {
	gameID, name string
	isRunning    bool // one of the containers runs
}

// Add adds the ports of a container.
func (r Reserved) Add(gameID string, isRunning bool, ports []runtime.Port) {
	for _, p := range ports {
		key := Key{p.Protocol, p.Port}
		r[key] = holder{gameID: gameID, name: p.Name, isRunning: isRunning || r[key].isRunning}
	}
}

// CheckGame returns ErrReserved if the port belongs to another game than this one.
func (r Reserved) CheckGame(key Key, gameID string) error {
	if h, found := r[key]; found && h.gameID != gameID {
		return fmt.Errorf("%w: port %s belongs to game %q; choose another port, or none", ErrReserved, key, h.gameID)
	}
	return nil
}

// Assign returns a copy of the ports of a new container in which each port has a number. A
// port without a number gets that of the same port of the game's other containers, since
// only one of them runs at a time, unless another program uses it. Otherwise it gets one of
// the range. A port without a container port gets its own number as container port.
//
// It returns ErrReserved for a number that belongs to another game, ErrNoFreePort if the range
// has no free port, or the error of ctx.
func (r Reserved) Assign(ctx context.Context, from Range, gameID string, ports []runtime.Port) ([]runtime.Port, error) {
	assigned := make([]runtime.Port, len(ports))
	chosen := map[Key]bool{}
	for i, p := range ports {
		assigned[i] = p
		if p.Port == 0 {
			continue
		}
		key := Key{p.Protocol, p.Port}
		if err := r.CheckGame(key, gameID); err != nil {
			return nil, err
		}
		chosen[key] = true
	}
	for i := range assigned {
		p := &assigned[i]
		if p.Port == 0 {
			number, err := r.choose(ctx, from, gameID, *p, chosen)
			if err != nil {
				return nil, err
			}
			p.Port = number
			chosen[Key{p.Protocol, number}] = true
		}
		if p.ContainerPort == 0 {
			p.ContainerPort = p.Port
		}
	}
	return assigned, nil
}

// choose returns the number of a port that has none.
func (r Reserved) choose(ctx context.Context, from Range, gameID string, p runtime.Port, chosen map[Key]bool) (int, error) {
	previous, isRunning := 0, false
	for key, h := range r {
		isSamePort := h.gameID == gameID && h.name == p.Name && key.Protocol == p.Protocol && from.Contains(key.Port) && !chosen[key]
		if isSamePort && (h.isRunning || !isRunning && CheckFree(ctx, key) == nil) {
			previous, isRunning = key.Port, h.isRunning
		}
	}
	if previous != 0 {
		return previous, nil
	}
	return from.Choose(ctx, p.Protocol, func(key Key) bool {
		_, isReserved := r[key]
		return isReserved || chosen[key]
	})
}
