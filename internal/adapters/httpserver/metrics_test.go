package httpserver_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
)

// Every documented series exists after one request of each kind.
func TestMetricsCountRequests(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Version: "1.2.3"})
	f.send("PUT", "/v1/runtimes/g", "", runningRecord)
	f.send("PUT", "/v1/runtimes/h", "", runningRecord)
	f.send("GET", "/v1/runtimes/none", "", "")
	f.send("POST", "/v1/runtimes/g/status", "", stopChange)
	f.send("HEAD", "/v1/runtimes/g", "", "")
	f.send("GET", "/nowhere", "", "")
	f.send("PATCH", "/v1/runtimes/g", "", "")
	open := f.watch("?game_id=g", "")
	open.expect("snapshot g 4", "synced 4")

	page := f.send("GET", "/metrics", "", "")
	require.Equal(t, 200, page.StatusCode)
	require.Regexp(t, `^text/plain`, page.Header.Get("Content-Type"))
	for _, line := range []string{
		`rtmanager_http_requests_total{code="200",method="PUT",route="/v1/runtimes/{game_id}"} 2`,
		`rtmanager_http_requests_total{code="404",method="GET",route="/v1/runtimes/{game_id}"} 1`,
		`rtmanager_http_requests_total{code="200",method="HEAD",route="/v1/runtimes/{game_id}"} 1`,
		`rtmanager_http_requests_total{code="200",method="POST",route="/v1/runtimes/{game_id}/status"} 1`,
		`rtmanager_http_requests_total{code="404",method="GET",route="none"} 1`,
		`rtmanager_http_requests_total{code="405",method="PATCH",route="none"} 1`,
		`rtmanager_http_request_duration_seconds_count{method="PUT",route="/v1/runtimes/{game_id}"} 2`,
		`rtmanager_http_request_duration_seconds_bucket{method="PUT",route="/v1/runtimes/{game_id}",le="+Inf"} 2`,
		`rtmanager_watch_streams 1`,
		`rtmanager_watch_events_total{type="snapshot"} 1`,
		`rtmanager_watch_events_total{type="synced"} 1`,
	} {
		require.Contains(t, page.body, "\n"+line+"\n")
	}
	require.Regexp(t, `\nrtmanager_build_info\{go_version="go[^"]+",version="1\.2\.3"\} 1\n`, page.body)
	require.Contains(t, page.body, "\ngo_goroutines ")
	require.Contains(t, page.body, "\nprocess_open_fds ")

	require.NoError(t, open.conn.Close())
	require.Eventually(t, func() bool { return f.metric("rtmanager_watch_streams") == "0" }, testTimeout, tick, "the stream is over")
	require.Eventually(t, func() bool {
		return strings.Contains(f.send("GET", "/metrics", "", "").body, `rtmanager_http_requests_total{code="200",method="GET",route="/v1/watch"} 1`)
	}, testTimeout, tick, "the stream is counted when it ends")
	require.NotContains(t, f.send("GET", "/metrics", "", "").body, `request_duration_seconds_count{method="GET",route="/v1/watch"}`,
		"the duration of a watch is not the duration of a request")
}

// No request creates a new series: the labels have few values, which the server
// defines.
func TestMetricsHaveNoLabelThatAClientChooses(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	f := startWithRecords(t, httpserver.Config{Registry: registry})
	const made = "zzmade"
	for _, row := range []struct{ method, path, headers string }{
		{strings.ToUpper(made), "/v1/runtimes", ""}, {made, "/" + made, ""}, {"GET", "/v1/runtimes/" + made, ""}, {"GET", "/v1/runtimes/" + made + "/history", ""},
		{"GET", "/v1/runtimes?status=" + made, ""}, {"GET", "/v1/runtimes?" + made + "=1", ""}, {"GET", "/v1/watch?game_id=" + made + "&from_revision=-1", ""},
		{"GET", "/v1/runtimes", "Host: " + made + ".example\r\n"}, {"GET", "/v1/runtimes", "User-Agent: " + made + "\r\nAccept: " + made + "\r\n"},
		{"PUT", "/v1/runtimes/" + made, "Rtmanager-Actor: " + made + "\r\nIdempotency-Key: " + made + "\r\n"},
	} {
		f.send(row.method, row.path, row.headers, "")
	}
	for _, row := range append(invalidRoutes(), append(invalidQueries("a store"), foreignOrigins()...)...) {
		f.send(row.method, row.path, row.headers, row.body)
	}
	allowed := map[string][]string{
		"method": {"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "other"},
		"route":  append(routesOf(t, f), "none", "/openapi.json"),
		"type":   {"snapshot", "synced", "upserted", "transitioned", "deleted", "bookmark", "resync"},
	}
	for label, values := range labelsOf(t, registry) {
		if allowed, closed := allowed[label]; closed {
			require.Subset(t, allowed, values, "values of the label %s", label)
		}
		require.NotContains(t, strings.ToLower(strings.Join(values, " ")), made, "label %s", label)
	}
}

func routesOf(t *testing.T, f *fixture) []string {
	t.Helper()
	var routes []string
	for _, operation := range contractOf(t, f).operations() {
		_, path, _ := strings.Cut(operation, " ")
		routes = append(routes, path)
	}
	return routes
}

// labelsOf returns the values of each label.
func labelsOf(t *testing.T, registry *prometheus.Registry) map[string][]string {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string][]string{}
	for _, family := range families {
		for _, metric := range family.Metric {
			for _, pair := range metric.Label {
				if !slices.Contains(values[pair.GetName()], pair.GetValue()) {
					values[pair.GetName()] = append(values[pair.GetName()], pair.GetValue())
				}
			}
		}
	}
	return values
}

// Scrape configurations and document viewers add parameters of their own.
func TestMetricsAndDocumentAcceptAnyQuery(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, path := range []string{"/metrics?module=http&name[]=go_goroutines", "/metrics?%zz", "/openapi.json?v=1"} {
		require.Equal(t, 200, f.send("GET", path, "", "").StatusCode, path)
	}
}
