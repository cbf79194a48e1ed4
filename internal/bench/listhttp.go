package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
)

// pageSizeHTTP is the largest page of the API.
const pageSizeHTTP = 10_000

// listHTTPWorkloads returns the list of all records over HTTP on the loopback interface, as
// a program reads it that polls the list, and the range of the same records in etcd.
func listHTTPWorkloads(ctx context.Context, r *runner) (measured, baseline workload, err error) {
	poller, err := r.startPoller(ctx)
	if err != nil {
		return workload{}, workload{}, err
	}
	return singleWorker(poller.readAll), singleWorker(r.listBare), nil
}

// poller reads the whole list from a server of the API. It reads the bodies, and decodes
// them in its first read only: a client spends its time on its own machine.
type poller struct {
	client http.Client
	url    string
	body   bytes.Buffer // of the last page
	check  func(count int) error
	pages  int // of the whole list, 0 before the first read
}

// startPoller starts a server of the store, which the runner stops at its end.
func (r *runner) startPoller(ctx context.Context) (*poller, error) {
	server, err := httpserver.New(r.store, httpserver.Config{})
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(serving, listener) }()
	transport := &http.Transport{DisableCompression: true}
	r.stopServer = func() error {
		transport.CloseIdleConnections()
		stop()
		return <-stopped
	}
	return &poller{
		client: http.Client{Transport: transport}, url: "http://" + listener.Addr().String() + "/v1/runtimes",
		check: func(count int) error { return r.checkCount(count, r.recordCount(), nil) },
	}, nil
}

// readAll reads all pages of the list.
func (p *poller) readAll(ctx context.Context) error {
	count, pages := 0, 0
	for token, isFirst := "", true; isFirst || token != ""; isFirst = false {
		if err := p.readPage(ctx, token); err != nil {
			return err
		}
		pages++
		if p.pages == 0 {
			var page api.Page
			if err := json.Unmarshal(p.body.Bytes(), &page); err != nil {
				return err
			}
			count += len(page.Items)
		}
		var err error
		if token, err = continueOf(p.body.Bytes()); err != nil {
			return err
		}
	}
	if p.pages == 0 {
		p.pages = pages
		return p.check(count)
	}
	if pages != p.pages {
		return fmt.Errorf("the list has %d pages; the first read had %d", pages, p.pages)
	}
	return nil
}

// readPage reads one page into the body.
func (p *poller) readPage(ctx context.Context, token string) error {
	query := url.Values{"limit": {fmt.Sprint(pageSizeHTTP)}}
	if token != "" {
		query.Set("continue", token)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	p.body.Reset()
	_, err = p.body.ReadFrom(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", request.URL, response.Status, p.body.String())
	}
	return nil
}

// continueOf returns the token of the next page without decoding the items before it. It
// is empty for the last page.
func continueOf(body []byte) (token string, err error) {
	name := []byte(`"continue":`)
	at := bytes.LastIndex(body, name)
	if at < 0 {
		return "", nil
	}
	text := body[at+len(name):]
	end := bytes.IndexByte(text[1:], '"')
	if end < 0 {
		return "", errors.New("the page ends within its member continue")
	}
	err = json.Unmarshal(text[:end+2], &token)
	return token, err
}
