package httpserver

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/etag"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/pagetoken"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// consistency is the consistency of a read.
type consistency string

const (
	linearizable consistency = "linearizable"
	local        consistency = "local" // from the server's own copy of the records
)

type listInput struct {
	filterInput
	Sort        string      `query:"sort" enum:"created_at,-created_at,game_id,-game_id,generation,-generation,health,-health,health_since,-health_since,image,-image,last_op_at,-last_op_at,node,-node,region,-region,restarts,-restarts,started_at,-started_at,status,-status,stopped_at,-stopped_at" doc:"The field that the records are sorted by, with a minus sign before it for the descending order; records with equal fields are sorted by game id. Absent: by key. Not for a list of all stores"`
	Limit       int         `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"The maximum number of records of one page"`
	Continue    string      `query:"continue" allowEmpty:"true" doc:"The member continue of the previous page, with the same filters and sort"`
	Consistency consistency `query:"consistency" enum:"linearizable,local" default:"linearizable" doc:"The consistency of the read. A local list comes from the server's own copy of the records, at the revision of the page"`
	Revision    int64       `query:"revision" minimum:"0" doc:"The revision of the list; 0 or absent is the current one"`
	Stores      storeScope  `query:"stores" enum:"own,all" default:"own" doc:"The stores whose records are listed: the daemon's own, or also those that it federates, each at a revision of its own"`
	Partial     bool        `query:"allow_partial" doc:"Of a list of all stores: return the parts of the stores that respond, and name the others in stores; without it a missing part is a problem with the code partial"`
	IfNoneMatch string      `header:"If-None-Match" list:"true" doc:"Returns 304 if the list still has one of these ETags. Not for a list of all stores"`
}

// storeScope selects the stores of a list.
type storeScope string

const (
	storesOwn storeScope = "own"
	storesAll storeScope = "all"
)

// listRuntimes handles GET /v1/runtimes.
func (s *Server) listRuntimes(w http.ResponseWriter, r *http.Request, in *listInput) error {
	if in.Stores == storesAll {
		return s.listAllStores(w, r, in)
	}
	query, err := s.pageQuery(r.Context(), in)
	if err != nil {
		return err
	}
	if isServed, err := s.listShared(w, r, query, in.IfNoneMatch); isServed || err != nil {
		return err
	}
	body, err := s.listPage(r.Context(), query)
	if err != nil {
		return err
	}
	if s.isListUnchanged(w, newListVersion(query, body), in.IfNoneMatch) {
		return nil
	}
	return writeJSON(w, http.StatusOK, body)
}

// listOwnStore returns one page of the daemon's own store.
func (s *Server) listOwnStore(ctx context.Context, in *listInput) (api.Page, error) {
	query, err := s.pageQuery(ctx, in)
	if err != nil {
		return api.Page{}, err
	}
	return s.listPage(ctx, query)
}

// pageQuery returns the query of a list of the daemon's own store.
func (s *Server) pageQuery(ctx context.Context, in *listInput) (ports.PageQuery, error) {
	filter, err := in.filter()
	if err != nil {
		return ports.PageQuery{}, err
	}
	filter.Visible = callers.Of(ctx).Visible()
	order, err := ports.ParseRecordOrder(in.Sort)
	if err != nil {
		return ports.PageQuery{}, err
	}
	query := ports.PageQuery{RecordFilter: filter, Order: order, Limit: in.Limit, Revision: in.Revision, Local: in.Consistency == local}
	if in.Continue != "" {
		if err := pagetoken.Apply(s.store.ID(), in.Continue, &query); err != nil {
			return ports.PageQuery{}, problem.BadRequest("query.continue", "%v; restart the list without it", err)
		}
	}
	return query, nil
}

// listPage returns the page of a query.
func (s *Server) listPage(ctx context.Context, query ports.PageQuery) (api.Page, error) {
	page, err := s.store.ListPage(ctx, query)
	if err != nil {
		return api.Page{}, err
	}
	return s.pageBody(ctx, query, page), nil
}

// pageBody returns the page of a query as the API has it.
func (s *Server) pageBody(ctx context.Context, query ports.PageQuery, page ports.Page) api.Page {
	page.Regions = s.regionsAt(callers.Of(ctx), query.Regions, page.Revision, query.Local)
	body := api.PageFrom(page)
	if page.Next != "" {
		body.Continue = pagetoken.New(s.store.ID(), query, page)
	}
	return body
}

type getInput struct {
	gameInput
	Consistency consistency `query:"consistency" enum:"linearizable,local" default:"linearizable" doc:"The consistency of the read. A local record comes from the server's own copy, at the revision in Rtmanager-As-Of"`
	IfNoneMatch string      `header:"If-None-Match" list:"true" doc:"Returns 304 if the record still has one of these ETags"`
}

// getRuntime handles GET /v1/runtimes/{game_id}.
func (s *Server) getRuntime(w http.ResponseWriter, r *http.Request, in *getInput) error {
	if in.Consistency == local {
		return s.getLocal(w, r, in.GameID)
	}
	found, err := s.store.GetVersioned(r.Context(), in.GameID)
	if err != nil {
		return err
	}
	if in.IfNoneMatch != "" && etag.Matches(in.IfNoneMatch, found.Revision) {
		w.Header().Set("ETag", etag.Of(found.Revision))
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeRecord(w, found)
}

// getLocal responds from the server's own copy. The response contains the revision of the
// copy, even if there is no record: the absence is valid only at that revision.
func (s *Server) getLocal(w http.ResponseWriter, r *http.Request, gameID string) error {
	found, revision, err := s.store.GetLocal(r.Context(), gameID)
	w.Header().Set(api.HeaderAsOf, strconv.FormatInt(revision, 10))
	s.setLocalAge(w.Header())
	if err != nil {
		return err
	}
	return writeRecord(w, found)
}

// writeRecord responds with a record, and its revision as the ETag.
func writeRecord(w http.ResponseWriter, found runtime.VersionedRecord) error {
	w.Header().Set("ETag", etag.Of(found.Revision))
	return writeJSON(w, http.StatusOK, found.Record)
}

// getHistory handles GET /v1/runtimes/{game_id}/history.
func (s *Server) getHistory(w http.ResponseWriter, r *http.Request, in *gameInput) error {
	entries, err := s.store.History(r.Context(), in.GameID)
	corrupt, other := splitCorrupt(err)
	switch {
	case other != nil:
		return other
	case err != nil && entries == nil:
		return err
	}
	return writeJSON(w, http.StatusOK, api.History{GameID: in.GameID, Items: orEmpty(entries), Corrupt: api.CorruptFrom(corrupt)})
}

// splitCorrupt separates the corrupt values in an error's tree from all other errors.
func splitCorrupt(err error) (corrupt []*runtime.CorruptError, other error) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself, to find every one
	case nil:
		return nil, nil
	case *runtime.CorruptError:
		return []*runtime.CorruptError{e}, nil
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			found, rest := splitCorrupt(inner)
			corrupt, other = append(corrupt, found...), errors.Join(other, rest)
		}
		return corrupt, other
	case interface{ Unwrap() error }:
		if corrupt, other = splitCorrupt(e.Unwrap()); other == nil && corrupt != nil {
			return corrupt, nil
		}
		return corrupt, err // the wrapping error has more text
	}
	return nil, err
}

// orEmpty returns an empty list for a nil one, which JSON would write as null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
