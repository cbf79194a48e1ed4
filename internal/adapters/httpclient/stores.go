package httpclient

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// StoreURL returns the address of another store at the daemon of baseURL, which federates it.
func StoreURL(baseURL, store string) string {
	return strings.TrimSuffix(baseURL, "/") + "/v1/stores/" + url.PathEscape(store)
}

// Stores returns the store of the daemon and those that it federates. A daemon of an earlier
// version federates none, and the list is empty.
func (c *Client) Stores(ctx context.Context) (api.Stores, error) {
	var stores api.Stores
	_, err := c.get(ctx, apiRequest{path: "/v1/stores"}, &stores)
	var status *statusError
	if errors.As(err, &status) && status.status == http.StatusNotFound && status.cause == nil {
		return api.Stores{Items: []api.Store{}}, nil
	}
	if err == nil && stores.Items == nil {
		err = c.unexpectedResponseError("a list of stores")
	}
	return stores, err
}

// ListAllStores returns one page of the records of all stores. It fails with runtime.ErrPartial if a
// part is missing, unless that is allowed.
func (c *Client) ListAllStores(ctx context.Context, query ports.PageQuery, isPartialAllowed bool) (api.Page, error) {
	if err := query.Validate(); err != nil {
		return api.Page{}, err
	}
	parameters := url.Values{"stores": {"all"}, "limit": {strconv.Itoa(query.Limit)}}
	setFilter(parameters, &query.RecordFilter)
	setIfGiven(parameters, "continue", query.After)
	if query.Local {
		parameters.Set("consistency", "local")
	}
	if isPartialAllowed {
		parameters.Set("allow_partial", "true")
	}
	var page api.Page
	if _, err := c.get(ctx, apiRequest{path: "/v1/runtimes", query: parameters}, &page); err != nil {
		return api.Page{}, err
	}
	if len(page.Stores) == 0 || len(page.ItemStores) != len(page.Items) {
		return api.Page{}, c.unexpectedResponseError("a page of the list of all stores")
	}
	return page, nil
}
