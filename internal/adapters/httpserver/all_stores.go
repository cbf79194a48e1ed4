package httpserver

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/pagetoken"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// allStoresPosition is the position in a list of all stores, between two pages.
type allStoresPosition struct {
	Filter string // pagetoken.FilterKey of the list
	Stores []storePosition
}

// storePosition is the position in the list of one store.
type storePosition struct {
	Name, ID string
	Revision int64
	ReadAt   int64  // when the revision was read, in milliseconds of Unix time
	Continue string // empty before the first item
	IsDone   bool
	Error    string // why the part of the store is missing
}

// mergedList is one page of a list of all stores in progress.
type mergedList struct {
	server   *Server
	in       *listInput
	position allStoresPosition
	// filterKey identifies the filter of the list.
	filterKey string
	page      api.Page
}

// listAllStores responds with a page of the lists of all stores, one store after the other. Every
// page of a store is at the revision that the first page has read.
func (s *Server) listAllStores(w http.ResponseWriter, r *http.Request, in *listInput) error {
	if len(r.Header.Values(api.HeaderFederated)) > 0 {
		return problem.BadRequest("query.stores", "must be own in a request that another store has forwarded; request the list of all stores from a daemon that federates them")
	}
	if in.Revision != 0 {
		return problem.BadRequest("query.revision", "is of one store, and stores=all lists several; omit one of them")
	}
	if in.Sort != "" {
		return problem.BadRequest("query.sort", "is for the list of one store, and stores=all lists several; omit one of them")
	}
	filter, err := in.filter()
	if err != nil {
		return err
	}
	list := &mergedList{server: s, in: in, filterKey: pagetoken.FilterKey(&filter), page: api.Page{Items: []runtime.RuntimeRecord{}, ItemRevisions: []int64{}, ItemStores: []string{}}}
	if err := list.read(r); err != nil {
		return err
	}
	if missing := list.missing(); len(missing) > 0 && !in.Partial {
		return &runtime.PartialError{Missing: missing}
	}
	list.finish()
	return writeJSON(w, http.StatusOK, list.page)
}

// read reads the next page.
func (l *mergedList) read(r *http.Request) error {
	if l.in.Continue == "" {
		return l.readFirst(r)
	}
	if err := pagetoken.Verify(l.scope(), l.in.Continue, &l.position); err != nil {
		return problem.BadRequest("query.continue", "%v; restart the list without it", err)
	}
	if l.position.Filter != l.filterKey {
		return problem.BadRequest("query.continue", "belongs to a list with other filters; restart the list without it")
	}
	for i := range l.position.Stores {
		at := &l.position.Stores[i]
		for !at.IsDone && at.Error == "" && len(l.page.Items) < l.in.Limit {
			page, storeID, err := l.server.readStore(r, l.in, *at, l.in.Limit-len(l.page.Items))
			if err := l.add(at, page, storeID, err); err != nil {
				return err
			}
		}
		if !at.IsDone && at.Error == "" {
			break
		}
	}
	return nil
}

// readFirst reads the first page of every store concurrently: their revisions are to be of about the
// same time. A page that does not fit is read later, at its revision.
func (l *mergedList) readFirst(r *http.Request) error {
	l.position = allStoresPosition{Filter: l.filterKey, Stores: []storePosition{{Name: l.server.cfg.Region}}}
	for _, name := range l.server.cfg.Federation.Names() {
		l.position.Stores = append(l.position.Stores, storePosition{Name: name})
	}
	type result struct {
		page    api.Page
		storeID string
		err     error
	}
	results := make([]result, len(l.position.Stores))
	var requests sync.WaitGroup
	for i, at := range l.position.Stores {
		requests.Go(func() {
			results[i].page, results[i].storeID, results[i].err = l.server.readStore(r, l.in, at, l.in.Limit)
		})
	}
	requests.Wait()
	isFull := false
	for i, result := range results {
		at := &l.position.Stores[i]
		isFull = isFull || len(l.page.Items)+len(result.page.Items) > l.in.Limit
		if result.err == nil && isFull {
			at.ID, at.Revision, at.ReadAt = result.storeID, result.page.Revision, l.server.cfg.Clock().UnixMilli()
			continue
		}
		if err := l.add(at, result.page, result.storeID, result.err); err != nil {
			return err
		}
		isFull = isFull || result.page.Continue != ""
	}
	return nil
}

// add appends the page of a store. It returns an error that is not a missing part: that of the
// daemon's own store, and of a revision that a store has no longer.
func (l *mergedList) add(at *storePosition, page api.Page, storeID string, err error) error {
	if err == nil && at.ID != "" && at.ID != storeID {
		err = &federation.UnusableError{Store: at.Name, Reason: "is another store than the one of the first page; restart the list"}
	}
	var p *api.Problem
	isCompacted := errors.As(err, &p) && (p.Code == api.CodeCompacted || p.Code == api.CodeForeignRevision)
	switch {
	case err != nil && (at.Name == l.server.cfg.Region || isCompacted):
		return err
	case err != nil:
		at.Error = problem.Text(err)
		var unusable *federation.UnusableError
		if errors.As(err, &unusable) {
			at.Error = unusable.Reason // without the name of the store
		}
		return nil
	}
	if at.ID == "" {
		at.ID, at.Revision, at.ReadAt = storeID, page.Revision, l.server.cfg.Clock().UnixMilli()
	}
	at.Continue, at.IsDone = page.Continue, page.Continue == ""
	l.page.Items = append(l.page.Items, page.Items...)
	l.page.ItemRevisions = append(l.page.ItemRevisions, page.ItemRevisions...)
	for range page.Items {
		l.page.ItemStores = append(l.page.ItemStores, at.Name)
	}
	for _, corrupt := range page.Corrupt {
		corrupt.Store = at.Name
		l.page.Corrupt = append(l.page.Corrupt, corrupt)
	}
	return nil
}

// missing returns the stores whose parts are missing.
func (l *mergedList) missing() []runtime.MissingPart {
	var missing []runtime.MissingPart
	for _, at := range l.position.Stores {
		if at.Error != "" {
			missing = append(missing, runtime.MissingPart{Store: at.Name, Reason: at.Error})
		}
	}
	return missing
}

// finish adds the description of the stores, and the token of the next page.
func (l *mergedList) finish() {
	now, isDone := l.server.cfg.Clock(), true
	for _, at := range l.position.Stores {
		store := api.StoreList{Name: at.Name, StoreID: at.ID, Revision: at.Revision, Error: at.Error}
		if at.ReadAt != 0 {
			store.AgeMS = max(0, now.Sub(time.UnixMilli(at.ReadAt)).Milliseconds())
		}
		l.page.Stores = append(l.page.Stores, store)
		isDone = isDone && (at.IsDone || at.Error != "")
	}
	if !isDone {
		l.page.Continue = pagetoken.Sign(l.scope(), l.position)
	}
}

// scope is what the tokens of lists of all stores can be used with. The name of the daemon's own
// store differs between regions.
func (l *mergedList) scope() string {
	return l.server.store.ID() + " all stores " + l.server.cfg.Region
}

// readStore reads a page of one store, from a position in its list.
func (s *Server) readStore(r *http.Request, in *listInput, at storePosition, limit int) (page api.Page, storeID string, err error) {
	if at.Name == s.cfg.Region {
		input := *in
		input.Limit, input.Continue, input.Revision = limit, at.Continue, at.Revision
		page, err = s.listOwnStore(r.Context(), &input)
		return page, s.store.ID(), err
	}
	if err := checkForwardable(r); err != nil {
		return api.Page{}, "", err
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if at.Revision != 0 {
		query.Set("revision", strconv.FormatInt(at.Revision, 10))
	}
	in.set(query)
	for name, value := range map[string]string{"continue": at.Continue, "consistency": string(in.Consistency)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return s.cfg.Federation.ListPage(r.Context(), at.Name, query)
}
