package httpserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
)

// gameIDSegment is the variable segment of a path.
const gameIDSegment = "{game_id}"

// runtimesPath is the prefix of the paths of all games.
const runtimesPath = "/v1/runtimes/"

// router finds the route of a request. It matches the escaped path segment by segment, so
// a game id may be any escaped text, even a single slash. It never redirects. http.ServeMux
// cleans paths and redirects, which could select another game.
type router struct{ routes []routeEntry }

type routeEntry struct {
	segments []string
	route    Route
}

func newRouter(routes []Route) router {
	var r router
	for _, route := range routes {
		r.routes = append(r.routes, routeEntry{segmentsOf(route.Path), route})
	}
	return r
}

func segmentsOf(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// routeMatch is the result of a search for a route.
type routeMatch struct {
	route  *Route
	gameID string // empty if the path contains none
	// allowed are the methods of a known path for which no route has the method.
	allowed []string
}

// find returns the route of a method and an escaped path, or a problem if there is none.
func (r router) find(method, escapedPath string) (routeMatch, *api.Problem) {
	segments := segmentsOf(escapedPath)
	if slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." }) {
		if strings.HasPrefix(escapedPath, runtimesPath) {
			return routeMatch{}, problem.BadRequest("path.game_id", "must be one non-empty segment; percent-encode the id, its slashes included")
		}
		return routeMatch{}, noSuchRoute()
	}
	for i := range segments {
		text, err := url.PathUnescape(segments[i])
		if err != nil {
			return routeMatch{}, problem.BadRequest("path.game_id", "is not percent-encoded: %v", err)
		}
		segments[i] = text
	}
	var allowed []string
	for i := range r.routes {
		entry := &r.routes[i]
		id, matches := entry.match(segments)
		if !matches {
			continue
		}
		if entry.route.Method == method || entry.route.Method == http.MethodGet && method == http.MethodHead {
			return routeMatch{route: &entry.route, gameID: id}, nil
		}
		allowed = append(allowed, entry.route.Method)
		if entry.route.Method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	if allowed == nil {
		return routeMatch{}, noSuchRoute()
	}
	slices.Sort(allowed)
	return routeMatch{allowed: allowed}, problem.New(api.CodeMethodNotAllowed, "this path does not support "+method+"; use "+strings.Join(allowed, ", "))
}

// match reports whether the route has the segments of a path, and returns the game id.
func (e *routeEntry) match(segments []string) (gameID string, matches bool) {
	if len(segments) != len(e.segments) {
		return "", false
	}
	for i, segment := range e.segments {
		switch segment {
		case gameIDSegment:
			gameID = segments[i]
		case segments[i]:
		default:
			return "", false
		}
	}
	return gameID, true
}

func noSuchRoute() *api.Problem {
	return problem.New(api.CodeNoSuchRoute, "the API has no such path; see /openapi.json")
}
