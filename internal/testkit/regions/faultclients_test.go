package regions_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/testkit/regions"
)

// kind is a kind of request of the clients.
type kind string

const (
	kindWrite     kind = "write"
	kindRead      kind = "linearizable read"
	kindLocal     kind = "local read"
	kindWatch     kind = "watch"
	kindOperation kind = "operation"
)

func kinds() []kind { return []kind{kindWrite, kindRead, kindLocal, kindWatch, kindOperation} }

const (
	// requestTimeout bounds a request of a client, and operationTimeout an operation. A daemon
	// responds with an error earlier.
	requestTimeout   = 35 * time.Second
	operationTimeout = time.Minute
	// pause is the time between two requests of a client.
	pause = 150 * time.Millisecond
)

// faultClient sends requests to the daemon of one region.
type faultClient struct {
	t      *testing.T
	region string
	client regions.Client
	acked  *ackedWrites
	stats  *faultStats
}

// do sends a request and records its result. It reports whether the request succeeded.
func (c *faultClient) do(ctx context.Context, k kind, method, path string, body any, headers ...string) (regions.Response, bool) {
	timeout := requestTimeout
	if k == kindOperation {
		timeout = operationTimeout
	}
	requestCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := c.client.Do(requestCtx, method, path, body, headers...)
	switch {
	case ctx.Err() != nil: // the end of the test
	case err != nil && requestCtx.Err() != nil:
		c.stats.fail(c.region, k, "client timeout")
	case err != nil:
		c.stats.fail(c.region, k, "no response")
	case resp.Status == http.StatusOK:
		c.stats.succeed(c.region, k)
		return resp, true
	default:
		c.stats.fail(c.region, k, fmt.Sprintf("%d %s", resp.Status, problemCode(resp)))
	}
	return resp, false
}

func problemCode(resp regions.Response) api.Code {
	var problem api.Problem
	_ = json.Unmarshal(resp.Body, &problem)
	return cmp.Or(problem.Code, "without a code")
}

// wait pauses between two requests. It reports false when ctx has ended.
func wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}
