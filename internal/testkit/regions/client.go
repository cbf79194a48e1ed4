package regions

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// Client sends requests to the API of one daemon, without a delay. It is safe for
// concurrent use.
type Client struct {
	url  string
	http *http.Client
}

func newClient(url string) Client { return Client{url: url, http: &http.Client{}} }

// URL returns the URL of the API.
func (c Client) URL() string { return c.url }

// Response is the response to a request.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Duration is the time from the request to the end of the response.
	Duration time.Duration
}

// Do sends a request with a JSON body; nil means no body. headers are "Name: value". Every
// status is a Response; the error is that of a request without a complete response.
func (c Client) Do(ctx context.Context, method, path string, body any, headers ...string) (Response, error) {
	start := time.Now()
	resp, err := c.Open(ctx, method, path, body, headers...)
	if err != nil {
		return Response{}, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return Response{Status: resp.StatusCode, Header: resp.Header, Body: content, Duration: time.Since(start)}, err
}

// Open is Do for a stream: it returns after the header of the response. The caller closes the
// body.
func (c Client) Open(ctx context.Context, method, path string, body any, headers ...string) (*http.Response, error) {
	var encoded io.Reader
	if body != nil {
		content, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		encoded = bytes.NewReader(content)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, encoded)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	return c.http.Do(request)
}

// killProcessesOf kills the processes that a container of the process engine names: the
// game and its parent.
func killProcessesOf(file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		return
	}
	fields := strings.Fields(string(content))
	for _, index := range []int{0, 3} {
		if pid := 0; len(fields) > index {
			if _, err := fmt.Sscan(fields[index], &pid); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}
