package httpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Pages that List asks for, and how often it starts over when the store has
// forgotten the revision that a long list stands at.
const (
	listPageLimit = 5_000
	listAttempts  = 3
)

// Get implements ports.RuntimeRecordStore.
func (c *Client) Get(ctx context.Context, gameID string) (runtime.RuntimeRecord, error) {
	found, err := c.GetVersioned(ctx, gameID)
	return found.Record, err
}

// GetVersioned implements ports.RuntimeReader.
func (c *Client) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, err
	}
	var record runtime.RuntimeRecord
	header, err := c.read(ctx, call{path: gamePath(gameID, "")}, &record)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	return versioned(record, header)
}

// GetLocal implements ports.RuntimeReader.
func (c *Client) GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	var record runtime.RuntimeRecord
	local := call{path: gamePath(gameID, ""), query: url.Values{"consistency": {"local"}}}
	header, err := c.read(ctx, local, &record)
	asOf, errAsOf := strconv.ParseInt(header.Get(api.HeaderAsOf), 10, 64)
	if err != nil {
		return runtime.VersionedRecord{}, asOf, err
	}
	if errAsOf != nil || asOf < 1 {
		return runtime.VersionedRecord{}, 0, c.notOurs("a local read with its revision")
	}
	found, err := versioned(record, header)
	return found, asOf, err
}

// versioned adds the revision that an answer's ETag holds.
func versioned(record runtime.RuntimeRecord, header http.Header) (runtime.VersionedRecord, error) {
	// A proxy that compresses answers makes their tags weak ones.
	tag, err := strconv.Unquote(strings.TrimPrefix(header.Get("ETag"), "W/"))
	revision, errParse := strconv.ParseInt(tag, 10, 64)
	if err != nil || errParse != nil || revision < 1 {
		return runtime.VersionedRecord{}, fmt.Errorf("the answer's ETag %q is not a revision", header.Get("ETag"))
	}
	return runtime.VersionedRecord{Record: record, Revision: revision}, nil
}

// List implements ports.RuntimeRecordStore.
func (c *Client) List(ctx context.Context) ([]runtime.RuntimeRecord, error) {
	return c.list(ctx, ports.PageQuery{Limit: listPageLimit})
}

// ListByStatus implements ports.RuntimeRecordStore.
func (c *Client) ListByStatus(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	if _, err := runtime.ParseStatus("status", string(status)); err != nil {
		return nil, err
	}
	return c.list(ctx, ports.PageQuery{Status: status, Limit: listPageLimit})
}

func (c *Client) list(ctx context.Context, query ports.PageQuery) ([]runtime.RuntimeRecord, error) {
	for attempt := 1; ; attempt++ {
		records, err := c.pages(ctx, query)
		if !errors.Is(err, runtime.ErrCompacted) || attempt == listAttempts {
			return records, err
		}
	}
}

// pages follows one list to its end.
func (c *Client) pages(ctx context.Context, query ports.PageQuery) ([]runtime.RuntimeRecord, error) {
	records := []runtime.RuntimeRecord{}
	var damaged []error
	for {
		page, err := c.ListPage(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			records = append(records, r.Record)
		}
		for _, corrupt := range page.Corrupt {
			damaged = append(damaged, corrupt)
		}
		if page.Next == "" {
			return records, errors.Join(damaged...)
		}
		query.Revision, query.After = page.Revision, page.Next
	}
}

// ListPage implements ports.RuntimeReader.
func (c *Client) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	if err := query.Validate(); err != nil {
		return ports.Page{}, err
	}
	parameters := url.Values{"limit": {strconv.Itoa(query.Limit)}}
	setIfGiven(parameters, "status", string(query.Status))
	setIfGiven(parameters, "region", query.Region)
	setIfGiven(parameters, "node", query.Node)
	setIfGiven(parameters, "continue", query.After)
	if query.Local {
		parameters.Set("consistency", "local")
	}
	if query.Revision != 0 {
		parameters.Set("revision", strconv.FormatInt(query.Revision, 10))
	}
	var page api.Page
	if _, err := c.read(ctx, call{path: "/v1/runtimes", query: parameters}, &page); err != nil {
		return ports.Page{}, err
	}
	if page.Revision < 1 {
		return ports.Page{}, c.notOurs("a page of a list")
	}
	return page.PortsPage(), nil
}

func setIfGiven(parameters url.Values, name, value string) {
	if value != "" {
		parameters.Set(name, value)
	}
}

// History implements ports.RuntimeLedger.
func (c *Client) History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return nil, err
	}
	var history api.History
	if _, err := c.read(ctx, call{path: gamePath(gameID, "/history")}, &history); err != nil {
		return nil, err
	}
	if history.GameID != gameID {
		return nil, c.notOurs("the history of game " + strconv.Quote(gameID))
	}
	var damaged []error
	for _, corrupt := range history.Corrupt {
		damaged = append(damaged, corrupt.Err())
	}
	return history.Items, errors.Join(damaged...)
}

// Revision implements ports.StoreInspector.
func (c *Client) Revision(ctx context.Context) (int64, error) {
	cluster, err := c.Cluster(ctx)
	return cluster.Revision, err
}

// Info implements ports.StoreInspector.
func (c *Client) Info(ctx context.Context) (ports.StoreInfo, error) {
	cluster, err := c.Cluster(ctx)
	return cluster.StoreInfo(), err
}

// Cluster returns what Info returns together with who answered.
func (c *Client) Cluster(ctx context.Context) (api.Cluster, error) {
	var cluster api.Cluster
	_, err := c.read(ctx, call{path: "/v1/cluster"}, &cluster)
	if err == nil && cluster.Revision < 1 {
		err = c.notOurs("a description of a store")
	}
	return cluster, err
}

// notOurs refuses JSON that answers some other question: read as an answer of
// the API, it would be one that says "nothing".
func (c *Client) notOurs(wanted string) error {
	return fmt.Errorf("server %s answered something else than %s", c.base.Redacted(), wanted)
}

// Check implements ports.StoreInspector. It takes as long as the server does:
// only ctx bounds it.
func (c *Client) Check(ctx context.Context, repair bool) (ports.CheckReport, error) {
	request := call{method: http.MethodGet, path: "/v1/fsck"}
	if repair {
		request = call{method: http.MethodPost, path: "/v1/fsck/repair"}
	}
	var report api.Check
	_, err := c.roundTrip(ctx, request, &report)
	if err == nil && report.Revision < 1 {
		err = &sendError{err: c.notOurs("a report"), mayHaveArrived: true}
	}
	if repair && isAmbiguous(err) {
		return ports.CheckReport{}, c.unknownOutcome(ctx, err)
	}
	return report.Report(), c.settleRead(ctx, err)
}
