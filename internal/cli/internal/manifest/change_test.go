package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// currentOf returns the state of a game with a record of the status and the spec.
func currentOf(status runtime.Status, spec operation.Spec) api.GameSpec {
	return api.GameSpec{GameID: "g", DesiredStatus: status, Spec: &spec, Revision: 7, Record: &runtime.RuntimeRecord{GameID: "g", Status: status, Region: "eu"}}
}

func TestChangeOf(t *testing.T) {
	t.Parallel()
	spec := operation.Spec{Image: "a:1", Env: map[string]string{"A": "1", "B": "2"}}
	running, stopped, removed := currentOf(runtime.StatusRunning, spec), currentOf(runtime.StatusStopped, spec), currentOf(runtime.StatusRemoved, spec)
	crashed := stopped
	crashed.DesiredStatus = runtime.StatusRunning
	starting := api.GameSpec{GameID: "g", DesiredStatus: runtime.StatusRunning, Spec: &spec, OperationID: "op"}
	stopping := running
	stopping.DesiredStatus, stopping.OperationID = runtime.StatusStopped, "op"
	changed := func(change func(*operation.Spec)) operation.Spec {
		other := spec.Clone()
		change(&other)
		return other
	}
	withDefaults := spec.WithDefaults()
	stop := runtime.StatusStopped
	for name, c := range map[string]struct {
		desired runtime.Status
		spec    operation.Spec
		current api.GameSpec
		result  Result
		members []string
		kinds   []operation.Kind
	}{
		"new":                      {"", spec, api.GameSpec{GameID: "g"}, ResultCreated, nil, []operation.Kind{operation.KindStart}},
		"new and stopped":          {stop, spec, api.GameSpec{GameID: "g"}, ResultUnchanged, nil, nil},
		"removed":                  {"", spec, removed, ResultCreated, nil, []operation.Kind{operation.KindStart}},
		"removed and stopped":      {stop, spec, removed, ResultUnchanged, nil, nil},
		"as described":             {"", spec, running, ResultUnchanged, nil, nil},
		"defaults":                 {"", withDefaults, running, ResultUnchanged, nil, nil},
		"being started":            {"", spec, starting, ResultUnchanged, nil, nil},
		"being stopped":            {stop, spec, stopping, ResultUnchanged, nil, nil},
		"image":                    {"", changed(func(s *operation.Spec) { s.Image = "a:2" }), running, ResultConfigured, []string{"image"}, []operation.Kind{operation.KindPatch}},
		"members without a value":  {"", operation.Spec{Image: "a:1"}, running, ResultConfigured, []string{"env"}, []operation.Kind{operation.KindPatch}},
		"several members":          {"", changed(func(s *operation.Spec) { s.Port, s.Args = 7, []string{"x"} }), running, ResultConfigured, []string{"args", "port"}, []operation.Kind{operation.KindPatch}},
		"stop":                     {stop, spec, running, ResultConfigured, []string{"desired_status"}, []operation.Kind{operation.KindStop}},
		"stop and patch":           {stop, changed(func(s *operation.Spec) { s.CPUs = 1 }), running, ResultConfigured, []string{"desired_status", "cpus"}, []operation.Kind{operation.KindStop, operation.KindPatch}},
		"stopped":                  {stop, spec, stopped, ResultUnchanged, nil, nil},
		"patch of a stopped game":  {stop, changed(func(s *operation.Spec) { s.CPUs = 1 }), stopped, ResultConfigured, []string{"cpus"}, []operation.Kind{operation.KindPatch}},
		"start":                    {"", spec, stopped, ResultConfigured, []string{"desired_status"}, []operation.Kind{operation.KindStart}},
		"start of a crashed game":  {"", spec, crashed, ResultConfigured, []string{"desired_status"}, []operation.Kind{operation.KindStart}},
		"start with another spec":  {"", changed(func(s *operation.Spec) { s.CPUs = 1 }), stopped, ResultConfigured, []string{"desired_status", "cpus"}, []operation.Kind{operation.KindStart}},
		"record without operation": {"", spec, api.GameSpec{GameID: "g", Record: running.Record}, ResultConfigured, []string{"env", "image"}, []operation.Kind{operation.KindPatch}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := ChangeOf(Game{GameID: "g", DesiredStatus: c.desired, Spec: c.spec}, c.current, false)
			require.Equal(t, c.result, change.Result)
			require.Equal(t, c.members, change.Members)
			var kinds []operation.Kind
			for _, request := range change.Requests {
				kinds = append(kinds, request.Kind)
				require.Equal(t, "g", request.GameID)
				require.Equal(t, request.Kind == operation.KindStop, request.Spec == nil)
			}
			require.Equal(t, c.kinds, kinds)
		})
	}
	forced := ChangeOf(Game{GameID: "g", Spec: operation.Spec{Image: "b:1"}}, running, true)
	require.True(t, forced.Requests[0].Force)
}

func TestChangeOfLabels(t *testing.T) {
	t.Parallel()
	spec := operation.Spec{Image: "a:1"}
	current := currentOf(runtime.StatusRunning, spec)
	current.Record.Labels = map[string]string{"env": "dev", "team": "a", "old": "x"}
	game := Game{GameID: "g", Spec: spec}
	require.Equal(t, ResultUnchanged, ChangeOf(game, current, false).Result, "labels that are not named are kept")

	game.Labels = map[string]string{"env": "prod", "team": "a", "new": "y"}
	change := ChangeOf(game, current, false)
	require.Equal(t, ResultConfigured, change.Result)
	require.Equal(t, []string{"labels"}, change.Members)
	require.Equal(t, &api.LabelChange{Set: map[string]string{"env": "prod", "new": "y"}, Remove: []string{"old"}}, change.Labels)
	require.Empty(t, change.Requests)

	created := ChangeOf(game, api.GameSpec{GameID: "g"}, false)
	require.Equal(t, game.Labels, created.Requests[0].Labels)
	require.Nil(t, created.Labels)
}

func TestChangeOfMetadata(t *testing.T) {
	t.Parallel()
	spec := operation.Spec{Image: "a:1"}
	current := currentOf(runtime.StatusRunning, spec)
	current.Record.Metadata = `{"a":1}`
	game := Game{GameID: "g", Spec: spec}
	for metadata, want := range map[runtime.Metadata]Result{"": ResultUnchanged, `{"a":1}`: ResultUnchanged, `{"a":2}`: ResultConfigured, "{}": ResultConfigured} {
		game.Metadata = metadata
		change := ChangeOf(game, current, false)
		require.Equal(t, want, change.Result, metadata)
		if want == ResultConfigured {
			require.Equal(t, []string{"metadata"}, change.Members)
			require.Equal(t, metadata, *change.Metadata.Replace)
			require.Empty(t, change.Requests)
		}
		created := ChangeOf(game, api.GameSpec{GameID: "g"}, false)
		require.Equal(t, metadata, created.Requests[0].Metadata)
	}
}

// The manifest of a game describes the game as it is.
func TestManifestOfAGameChangesNothing(t *testing.T) {
	t.Parallel()
	spec := operation.Spec{Image: "a:1", Args: []string{"x"}, Env: map[string]string{"A": "1"}}
	for _, status := range runtime.Statuses() {
		current := currentOf(status, spec)
		current.Record.Labels, current.Record.Metadata = map[string]string{"env": "dev"}, `{"a":1}`
		game := GameOf(current)
		require.NoError(t, game.Validate())
		require.Equal(t, "eu", game.Region)
		require.Equal(t, ResultUnchanged, ChangeOf(game, current, false).Result, "a game that is %s", status)
	}
}

func TestReadGames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	write("games/b.yaml", "game_id: b\nspec: {image: \"a:1\"}\n---\ngame_id: c\nspec: {image: \"a:1\"}\n")
	write("games/a.json", `{"items":[{"game_id":"a","spec":{"image":"a:1"},"desired_status":"stopped","region":"eu","node":"n"}]}`)
	write("games/README.md", "nothing")
	write("games/below/d.yml", "game_id: d\nspec: {image: \"a:1\"}\n")
	games, err := ReadGames([]string{filepath.Join(dir, "games"), "-"}, strings.NewReader(`[{"game_id":"e","spec":{"image":"a:1"}}]`))
	require.NoError(t, err)
	var ids []string
	for _, game := range games {
		ids = append(ids, game.GameID)
	}
	require.Equal(t, []string{"a", "b", "c", "e"}, ids, "files by name, without directories below")
	require.Equal(t, Game{GameID: "a", DesiredStatus: runtime.StatusStopped, Region: "eu", Node: "n", Spec: operation.Spec{Image: "a:1"}}, games[0])

	for text, want := range map[string]string{
		"":                         "contains no game",
		"- 1\n":                    "document 1",
		"just text\n":              "document 1: a string is neither a game nor a list of games",
		"game_id: a\n":             `game 1 ("a"): spec.image is required`,
		"spec: {image: 'a:1'}\n":   `game 1 (""): game_id is empty`,
		"game_id: a\nimage: 'a:1'": `unknown field "image"`,
		"game_id: a\nspec: [1]\n":  "spec: must be an object, not a list",
		"game_id: 1\nspec: {}\n":   "game_id: must be a string, not a number; put it in quotes",
		"game_id: a\nspec: {image: 'a:1', cpu: 1}\n":                                          `spec: unknown field "cpu"`,
		"game_id: a\nspec: {image: 'a:1', port: -1, cpus: -1}\n":                              "spec.port -1 is not a port",
		"game_id: a\nspec: {image: 'a:1'}\ndesired_status: removed\n":                         `desired_status "removed" is not one of running and stopped`,
		"game_id: a\nspec: {image: 'a:1'}\n---\ngame_id: a\nspec: {image: 'a:2'}\n":           `game "a" occurs twice, first in standard input`,
		"{\"items\": [{\"game_id\": \"a\", \"spec\": {\"image\": \"a:1\"}}], \"others\": []}": `unknown field "others"`,
	} {
		_, err := ReadGames([]string{"-"}, strings.NewReader(text))
		require.ErrorContains(t, err, want, "read %q", text)
		require.ErrorContains(t, err, "standard input: ")
	}
	_, err = ReadGames([]string{filepath.Join(dir, "none")}, nil)
	require.ErrorContains(t, err, "-f requires a file or directory with games")
	empty := filepath.Join(dir, "games/below/empty")
	require.NoError(t, os.Mkdir(empty, 0o700))
	_, err = ReadGames([]string{empty}, nil)
	require.ErrorContains(t, err, "has no file *.yaml, *.yml or *.json")
}

// A merged manifest differs from the current one in the given members only.
func TestMerged(t *testing.T) {
	t.Parallel()
	current := Game{GameID: "g", Region: "eu", DesiredStatus: runtime.StatusRunning, Spec: operation.Spec{Image: "a:1", ContainerPort: 8080, Port: 7, Env: map[string]string{"A": "1"}}}
	desired := Game{GameID: "g", DesiredStatus: runtime.StatusStopped, Spec: operation.Spec{Image: "a:2", CPUs: 1}}
	merged, err := Merged(desired, current, []string{"cpus", "desired_status", "env", "image", "port"})
	require.NoError(t, err)
	require.Equal(t, Game{GameID: "g", Region: "eu", DesiredStatus: runtime.StatusStopped, Spec: operation.Spec{Image: "a:2", ContainerPort: 8080, CPUs: 1}}, merged)
}
