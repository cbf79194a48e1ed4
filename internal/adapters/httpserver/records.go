package httpserver

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// recordOutput is a record with its revision as the ETag.
type recordOutput struct {
	ETag string `header:"ETag" doc:"The revision at which the record was last changed, in double quotes"`
	Body runtime.RuntimeRecord
}

// getOutput is recordOutput of a read, which may be a local one.
type getOutput struct {
	ETag string `header:"ETag" doc:"The revision at which the record was last changed, in double quotes"`
	AsOf string `header:"Rtmanager-As-Of" doc:"Of a local read, the revision that it is as of"`
	Body runtime.RuntimeRecord
}

func recordAnswer(v runtime.VersionedRecord) *recordOutput {
	return &recordOutput{ETag: etag(v.Revision), Body: v.Record}
}

type getInput struct {
	GameInput
	Consistency string `query:"consistency" enum:"linearizable,local" default:"linearizable" doc:"How fresh the record must be. Local is answered from the server's own copy, as of the revision in Rtmanager-As-Of"`
	IfNoneMatch string `header:"If-None-Match" doc:"Answers 304 when the record still has this ETag"`
}

func (s *Server) getRuntime(ctx context.Context, in *getInput) (*getOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if in.Consistency == consistencyLocal {
		return s.getLocal(ctx, id)
	}
	found, err := s.store.GetVersioned(ctx, id)
	if err != nil {
		return nil, s.fail(ctx, err, inPath)
	}
	if in.IfNoneMatch != "" && matchesTag(in.IfNoneMatch, found.Revision) {
		return nil, huma.ErrorWithHeaders(huma.Status304NotModified(), http.Header{"Etag": {etag(found.Revision)}})
	}
	return &getOutput{ETag: etag(found.Revision), Body: found.Record}, nil
}

// getLocal answers a read from the server's own copy. It says of what revision, also
// of a game that is not there: that is no more than what was true then.
func (s *Server) getLocal(ctx context.Context, id string) (*getOutput, error) {
	found, revision, err := s.store.GetLocal(ctx, id)
	asOf := strconv.FormatInt(revision, 10)
	if err != nil {
		return nil, huma.ErrorWithHeaders(s.fail(ctx, err, inPath), http.Header{api.HeaderAsOf: {asOf}})
	}
	return &getOutput{ETag: etag(found.Revision), AsOf: asOf, Body: found.Record}, nil
}

type putInput struct {
	GameInput
	OriginInput
	Reason      string `header:"Rtmanager-Reason" doc:"Why, for the ledger; text beyond ASCII in the notation of RFC 8187"`
	IfMatch     string `header:"If-Match" doc:"Writes only over a record with this ETag, or with one of a list; * asks that there be a record"`
	IfNoneMatch string `header:"If-None-Match" doc:"Only *: writes only if there is no record"`
}

func (s *Server) putRuntime(ctx context.Context, in *putInput) (*recordOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	origin, err := in.origin(in.Reason)
	if err != nil {
		return nil, err
	}
	condition, problem := parsePrecondition(in.IfMatch, in.IfNoneMatch)
	if problem != nil {
		return nil, problem
	}
	record, err := s.recordBody(bodyOf(ctx), id)
	if err != nil {
		return nil, err
	}
	written, err := s.put(ctx, ports.PutInput{Record: record, Origin: origin}, condition)
	s.audit("put", id, origin, record.Status, written, err)
	if err != nil {
		return nil, s.fail(ctx, err, inRecordBody)
	}
	return recordAnswer(written), nil
}

// recordBody returns the record that a body describes for the game.
func (s *Server) recordBody(body []byte, id string) (runtime.RuntimeRecord, error) {
	var record runtime.RuntimeRecord
	members, err := decodeBody(s.registry, s.recordSchema, body, &record)
	if err != nil {
		return runtime.RuntimeRecord{}, err
	}
	if _, given := members["game_id"]; given && record.GameID != id {
		return runtime.RuntimeRecord{}, invalidProblem(http.StatusUnprocessableEntity,
			api.Fault{Location: "body.game_id", Message: "is not the game of the path; leave it out or repeat the path's"})
	}
	record.GameID = id
	if err := record.Validate(); err != nil {
		return runtime.RuntimeRecord{}, problemOf(err, inRecordBody)
	}
	return record.InUTC(), nil
}

// put writes under the precondition. One that names no single revision is
// settled by reading first and pinning the write to what was read; another
// writer in between only means to look again.
func (s *Server) put(ctx context.Context, input ports.PutInput, condition precondition) (runtime.VersionedRecord, error) {
	if condition.empty() {
		return s.store.Put(ctx, input)
	}
	if revision, ok := condition.exact(); ok {
		input.IfRevision = &revision
		return s.store.Put(ctx, input)
	}
	for {
		found, err := s.store.GetVersioned(ctx, input.Record.GameID)
		if err != nil && !errors.Is(err, runtime.ErrNotFound) {
			return runtime.VersionedRecord{}, err
		}
		met := err == nil && condition.holds(found.Revision)
		switch {
		case met:
			input.IfRevision = &found.Revision
		case condition.any:
			return runtime.VersionedRecord{}, unmet(input.Record.GameID, condition, found)
		default:
			// the store refuses this, unless it has done the operation before
			input.IfRevision = &condition.revisions[0]
		}
		written, err := s.store.Put(ctx, input)
		switch {
		case !errors.Is(err, runtime.ErrConflict):
			return written, err
		case !met:
			return runtime.VersionedRecord{}, unmet(input.Record.GameID, condition, found)
		}
	}
}

func unmet(id string, condition precondition, found runtime.VersionedRecord) error {
	conflict := &runtime.ConflictError{
		GameID: id, Precondition: runtime.PreconditionRevision, Expected: "any",
		Actual: "none", Current: found.Record, Revision: found.Revision,
	}
	if found.Revision != 0 {
		conflict.Actual = strconv.FormatInt(found.Revision, 10)
	}
	if !condition.any {
		conflict.Expected = "one of the listed"
	}
	return conflict
}

type historyOutput struct{ Body api.History }

func (s *Server) getHistory(ctx context.Context, in *GameInput) (*historyOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	entries, err := s.store.History(ctx, id)
	damaged, rest := splitCorrupt(err)
	switch {
	case rest != nil:
		return nil, s.fail(ctx, rest, inPath)
	case err != nil && entries == nil:
		return nil, s.fail(ctx, err, inPath)
	}
	if entries == nil {
		entries = []runtime.LedgerEntry{}
	}
	return &historyOutput{Body: api.History{GameID: id, Items: entries, Corrupt: api.CorruptFrom(damaged)}}, nil
}

// splitCorrupt parts the damaged values in err's tree from every other error.
func splitCorrupt(err error) (damaged []*runtime.CorruptError, rest error) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself, to find every one
	case nil:
		return nil, nil
	case *runtime.CorruptError:
		return []*runtime.CorruptError{e}, nil
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			d, r := splitCorrupt(inner)
			damaged, rest = append(damaged, d...), errors.Join(rest, r)
		}
		return damaged, rest
	case interface{ Unwrap() error }:
		if damaged, rest = splitCorrupt(e.Unwrap()); rest == nil && damaged != nil {
			return damaged, nil
		}
		return damaged, err // what wraps it says more
	}
	return nil, err
}

func inPath(field string) string { return "path." + field }

// inRecordBody places the fields of a PUT: what came by header, and the rest.
func inRecordBody(field string) string {
	if field == "reason" {
		return "header." + api.HeaderReason
	}
	return inStatusBody(field)
}

// inStatusBody places the fields of a status change.
func inStatusBody(field string) string {
	switch field {
	case "operation_id":
		return "header." + api.HeaderIdempotencyKey
	case "actor":
		return "header." + api.HeaderActor
	}
	return "body." + field
}

// audit leaves one line for each write that was asked of the store, refused
// ones included.
func (s *Server) audit(verb, id string, origin ports.Origin, to runtime.Status, written runtime.VersionedRecord, err error) {
	line := s.cfg.Logger.With("verb", verb, "game_id", id, "to", to, "actor", origin.Actor, "operation_id", origin.OperationID)
	if err != nil {
		line.Info("write not done, or not known to be", "error", err)
		return
	}
	line.Info("write", "revision", written.Revision)
}
