package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxRenames is the number of games that a rename changes at once.
const maxRenames = 32

// renameGames replaces the name of the node in its records and in its operations in
// progress, and returns the number of records. It reads a game once more after a conflict
// with another writer, and skips a game that cannot be decoded.
func renameGames(ctx context.Context, deps hostDependencies, former, self node.Ref) (int, error) {
	r := &renamer{store: deps.store, logger: deps.logger, former: former, self: self}
	for {
		r.conflicts.Store(0)
		if err := r.renameAll(ctx); err != nil {
			return 0, err
		}
		if r.conflicts.Load() == 0 {
			return int(r.renamed.Load()), nil
		}
	}
}

// renamer replaces the name of a node in the store.
type renamer struct {
	store        *etcdstore.Store
	logger       *slog.Logger
	former, self node.Ref

	renamed, conflicts atomic.Int64
}

// renameAll renames each game of the node once.
func (r *renamer) renameAll(ctx context.Context) error {
	operations, err := r.store.GamesWithActiveOperation(ctx, r.former.Region, r.former.Name)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(maxRenames)
	for page, err := range ports.AllPages(ctx, r.store, ports.PageQuery{RecordFilter: ports.FilterByNode(r.former)}) {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		for _, found := range page.Records {
			group.Go(func() error { return r.check(found.Record.GameID, r.renameRecord(groupCtx, found)) })
		}
	}
	for _, gameID := range operations {
		group.Go(func() error { return r.check(gameID, r.renameOperation(groupCtx, gameID)) })
	}
	return group.Wait()
}

// check returns the errors that end the rename.
func (r *renamer) check(gameID string, err error) error {
	switch {
	case errors.Is(err, runtime.ErrConflict):
		r.conflicts.Add(1)
		return nil
	case errors.Is(err, runtime.ErrCorrupt), errors.Is(err, runtime.ErrInvalid):
		r.logger.Error("cannot rename the node of a game", "game", gameID, "error", err)
		return nil
	}
	return err
}

// renameRecord replaces the name of the node in the record.
func (r *renamer) renameRecord(ctx context.Context, found runtime.VersionedRecord) error {
	record := found.Record
	record.Region, record.Node, record.LastOpAt = r.self.Region, r.self.Name, time.Now().UTC()
	_, err := r.store.Put(ctx, ports.PutInput{
		Record: record, IfRevision: &found.Revision,
		Origin: ports.Origin{Actor: "rename", Reason: fmt.Sprintf("node renamed from %s to %s", r.former, r.self)},
	})
	if err == nil {
		r.renamed.Add(1)
	}
	return err
}

// renameOperation replaces the name of the node in the operation in progress of the game.
func (r *renamer) renameOperation(ctx context.Context, gameID string) error {
	found, err := r.store.GetIntent(ctx, gameID)
	if err != nil {
		return err
	}
	op := found.Intent.Current
	if op == nil || op.NodeRef() != r.former {
		return nil
	}
	op.Region, op.Node = r.self.Region, r.self.Name
	if previous := op.PreviousRecord; previous != nil && node.RefOf(*previous) == r.former {
		previous.Region, previous.Node = r.self.Region, r.self.Name
	}
	_, err = r.store.PutIntent(ctx, found.Intent, found.IntentVersion)
	return err
}
