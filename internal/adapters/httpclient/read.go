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

// listPageSize is the number of records that ListRecords requests per page. maxListAttempts
// bounds how often it starts over because the store has compacted the list's revision.
const (
	listPageSize    = 5_000
	maxListAttempts = 3
)

// GetVersioned implements ports.RuntimeReader.
func (c *Client) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, err
	}
	var record runtime.RuntimeRecord
	header, err := c.get(ctx, apiRequest{path: gamePath(gameID, "")}, &record)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	return withRevision(record, header)
}

// GetLocal implements ports.RuntimeReader.
func (c *Client) GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	var record runtime.RuntimeRecord
	local := apiRequest{path: gamePath(gameID, ""), query: url.Values{"consistency": {"local"}}}
	header, err := c.get(ctx, local, &record)
	asOf, errAsOf := strconv.ParseInt(header.Get(api.HeaderAsOf), 10, 64)
	if err != nil {
		return runtime.VersionedRecord{}, asOf, err
	}
	if errAsOf != nil || asOf < 1 {
		return runtime.VersionedRecord{}, 0, c.unexpectedResponseError("a local read with its revision")
	}
	found, err := withRevision(record, header)
	return found, asOf, err
}

// withRevision returns the record with the revision in the response's ETag.
func withRevision(record runtime.RuntimeRecord, header http.Header) (runtime.VersionedRecord, error) {
	// A proxy that compresses responses makes their ETags weak.
	tag, err := strconv.Unquote(strings.TrimPrefix(header.Get("ETag"), "W/"))
	revision, errParse := strconv.ParseInt(tag, 10, 64)
	if err != nil || errParse != nil || revision < 1 {
		return runtime.VersionedRecord{}, fmt.Errorf("the response's ETag %q is not a revision", header.Get("ETag"))
	}
	return runtime.VersionedRecord{Record: record, Revision: revision}, nil
}

// ListRecords implements ports.RecordMethods.
func (c *Client) ListRecords(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	query := ports.PageQuery{RecordFilter: ports.FilterByStatus(status), Limit: listPageSize}
	for attempt := 1; ; attempt++ {
		records, err := c.listAllPages(ctx, query)
		if !errors.Is(err, runtime.ErrCompacted) || attempt == maxListAttempts {
			return records, err
		}
	}
}

// listAllPages returns the records of all pages of one list.
func (c *Client) listAllPages(ctx context.Context, query ports.PageQuery) ([]runtime.RuntimeRecord, error) {
	records := []runtime.RuntimeRecord{}
	var corrupt []error
	for page, err := range ports.AllPages(ctx, c, query) {
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			records = append(records, r.Record)
		}
		for _, value := range page.Corrupt {
			corrupt = append(corrupt, value)
		}
	}
	return records, errors.Join(corrupt...)
}

// ListPage implements ports.RuntimeReader.
func (c *Client) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	if err := query.Validate(); err != nil {
		return ports.Page{}, err
	}
	parameters := url.Values{"limit": {strconv.Itoa(query.Limit)}}
	setFilter(parameters, &query.RecordFilter)
	setIfGiven(parameters, "sort", query.Order.String())
	setIfGiven(parameters, "continue", query.After)
	if query.Local {
		parameters.Set("consistency", "local")
	}
	if query.Revision != 0 {
		parameters.Set("revision", strconv.FormatInt(query.Revision, 10))
	}
	var page api.Page
	if _, err := c.get(ctx, apiRequest{path: "/v1/runtimes", query: parameters}, &page); err != nil {
		return ports.Page{}, err
	}
	if page.Revision < 1 {
		return ports.Page{}, c.unexpectedResponseError("a page of a list")
	}
	return page.PortsPage(), nil
}

// setFilter sets the parameters of a filter, which lists and watches share.
func setFilter(parameters url.Values, filter *ports.RecordFilter) {
	for _, status := range filter.Statuses {
		parameters.Add("status", string(status))
	}
	for _, health := range filter.Healths {
		parameters.Add("health", string(health))
	}
	if filter.Ready != nil {
		parameters.Set("ready", strconv.FormatBool(*filter.Ready))
	}
	for name, values := range map[string][]string{"region": filter.Regions, "node": filter.Nodes, "image": filter.Images} {
		if len(values) > 0 {
			parameters[name] = values
		}
	}
	setIfGiven(parameters, "game_id_prefix", filter.GamePrefix)
	setIfGiven(parameters, "label_selector", filter.Labels.String())
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
	if _, err := c.get(ctx, apiRequest{path: gamePath(gameID, "/history")}, &history); err != nil {
		return nil, err
	}
	if history.GameID != gameID {
		return nil, c.unexpectedResponseError("the history of game " + strconv.Quote(gameID))
	}
	var corrupt []error
	for _, value := range history.Corrupt {
		corrupt = append(corrupt, value.Err())
	}
	return history.Items, errors.Join(corrupt...)
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

// Cluster returns the information of Info, and the version, region and node of the daemon.
func (c *Client) Cluster(ctx context.Context) (api.Cluster, error) {
	var cluster api.Cluster
	_, err := c.get(ctx, apiRequest{path: "/v1/cluster"}, &cluster)
	if err == nil && cluster.Revision < 1 {
		err = c.unexpectedResponseError("a description of a store")
	}
	return cluster, err
}

// unexpectedResponseError returns the error of a JSON response without the members of the
// requested type. Without this check it would be treated as an empty result.
func (c *Client) unexpectedResponseError(expected string) error {
	return fmt.Errorf("server %s returned an unexpected response instead of %s", c.server(), expected)
}

// Check implements ports.StoreInspector. Only ctx bounds its duration.
func (c *Client) Check(ctx context.Context, repair bool) (ports.CheckReport, error) {
	request := apiRequest{method: http.MethodGet, path: "/v1/fsck"}
	if repair {
		request = apiRequest{method: http.MethodPost, path: "/v1/fsck/repair"}
	}
	var report api.Check
	_, err := c.roundTrip(ctx, request, &report)
	if err == nil && report.Revision < 1 {
		err = &sendError{err: c.unexpectedResponseError("a report"), mayHaveArrived: true}
	}
	if repair && isAmbiguous(err) {
		return ports.CheckReport{}, c.outcomeUnknownError(ctx, err)
	}
	return report.Report(), c.unavailableError(ctx, err)
}
