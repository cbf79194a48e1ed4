package regions_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/testkit/regions"
)

// write updates the status of a record of its own. It retries each update with the same
// Idempotency-Key until the update is acknowledged.
func (c *faultClient) write(ctx context.Context) {
	game := recordOf(c.region)
	for index := 0; ; index++ {
		key := "Idempotency-Key: " + uuid.NewString()
		for isAcked := false; !isAcked; {
			resp, ok := c.do(ctx, kindWrite, http.MethodPost, "/v1/runtimes/"+game+"/status", flipStatus(index), key)
			if isAcked = ok; ok {
				c.acked.add(game, c.revisionOf(resp))
			} else if resp.Status == http.StatusConflict {
				c.t.Errorf("update %d of %s conflicts although nothing else writes: %s", index, game, resp.Body)
			}
			if !wait(ctx) {
				return
			}
		}
	}
}

func recordOf(region string) string { return "record-" + region }

func (c *faultClient) revisionOf(resp regions.Response) int64 {
	tag := resp.Header.Get("ETag")
	revision, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
	if err != nil {
		c.t.Errorf("the ETag %s is not a revision", tag)
	}
	return revision
}

// read reads every record linearizably. A read that starts after the acknowledgement of a
// write must return that write or a later one.
func (c *faultClient) read(ctx context.Context) {
	for ok := true; ok; ok = wait(ctx) {
		for game, acked := range c.acked.latest() {
			resp, ok := c.do(ctx, kindRead, http.MethodGet, "/v1/runtimes/"+game, nil)
			switch {
			case ok && c.revisionOf(resp) < acked:
				c.t.Errorf("read of %s from %s returned revision %d after the acknowledgement of %d", game, c.region, c.revisionOf(resp), acked)
			case resp.Status == http.StatusNotFound:
				c.t.Errorf("read of %s from %s found nothing after the acknowledgement of %d", game, c.region, acked)
			}
		}
		c.list(ctx)
	}
}

// list does the same by a list of all records.
func (c *faultClient) list(ctx context.Context) {
	acked := c.acked.latest()
	resp, ok := c.do(ctx, kindRead, http.MethodGet, "/v1/runtimes", nil)
	if !ok {
		return
	}
	var page api.Page
	if err := json.Unmarshal(resp.Body, &page); err != nil {
		c.t.Errorf("list from %s: %v", c.region, err)
	}
	for i, record := range page.Items {
		if page.ItemRevisions[i] < acked[record.GameID] {
			c.t.Errorf("list from %s has %s at revision %d after the acknowledgement of %d", c.region, record.GameID, page.ItemRevisions[i], acked[record.GameID])
		}
		delete(acked, record.GameID)
	}
	for game, revision := range acked {
		c.t.Errorf("list from %s lacks %s after the acknowledgement of %d", c.region, game, revision)
	}
}

func (c *faultClient) readLocally(ctx context.Context) {
	for ok := true; ok; ok = wait(ctx) {
		c.do(ctx, kindLocal, http.MethodGet, "/v1/runtimes?consistency=local", nil)
	}
}

func gameOf(region string) string { return "game-" + region }

// operate starts, restarts and stops a game of its own, in turn. It repeats an operation
// until it succeeds or is rejected, because an earlier request has done it.
func (c *faultClient) operate(ctx context.Context) {
	for index := 0; ; index++ {
		verb, body := []string{"start", "restart", "stop"}[index%3], map[string]any{}
		if verb == "start" {
			body["image"] = "gameserver:1.0.0"
		}
		for isDone := false; !isDone; {
			resp, ok := c.do(ctx, kindOperation, http.MethodPost, "/v1/runtimes/"+gameOf(c.region)+"/"+verb, body)
			isDone = ok || resp.Status == http.StatusConflict && problemCode(resp) == api.CodeRejected
			if !wait(ctx) {
				return
			}
		}
	}
}
