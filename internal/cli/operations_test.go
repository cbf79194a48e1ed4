package cli_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// The daemon receives the request that the command line describes.
func TestOperationRequests(t *testing.T) {
	t.Parallel()
	spec := func(change func(*operation.Spec)) *operation.Spec {
		s := operation.Spec{Image: "game:1"}
		change(&s)
		return &s
	}
	sameSpec := writeFile(t, "same.yaml", "image: game:1\nport: 1\nenv: {A: \"1\", B: \"2\"}\nhealth_timeout: 1m\ncrash:\n  attempts: 2\nargs: [x]\nregion: eu\nnode: n1\n")
	for name, c := range map[string]struct {
		args  []string
		stdin string
		want  ports.OperationRequest
	}{
		"start unchanged":     {args: []string{"start", "g"}, want: ports.OperationRequest{Kind: operation.KindStart}},
		"start, id with dash": {args: []string{"start", "--image", "game:1", "--", "-rf", "-x"}, want: ports.OperationRequest{GameID: "-rf", Kind: operation.KindStart, Spec: spec(func(s *operation.Spec) { s.Args = []string{"-x"} })}},
		"start with image":    {args: []string{"start", "g", "--image", "game:1"}, want: ports.OperationRequest{Kind: operation.KindStart, Spec: spec(func(*operation.Spec) {})}},
		"start with args":     {args: []string{"start", "g", "--image", "game:1", "--", "--map", "dust"}, want: ports.OperationRequest{Kind: operation.KindStart, Spec: spec(func(s *operation.Spec) { s.Args = []string{"--map", "dust"} })}},
		"start, same image":   {args: []string{"start", "g", "--port", "80"}, want: ports.OperationRequest{Kind: operation.KindStart, Spec: &operation.Spec{Port: 80}}},
		"start with all": {args: []string{
			"start", "g", "--image", "game:1", "--region", "eu", "--node", "n1", "--port", "7", "--container-port", "8", "--env", "A=1", "--env", "B=x=y", "--env", "C=",
			"--cpus", "0.5", "--memory", "256MiB", "--network", "net", "--health-path", "none", "--health-timeout", "1m", "--stop-grace", "2s",
			"--crash-attempts", "3", "--crash-window", "1h", "--crash-delay", "5s", "--on-node-lost", "reschedule", "--regions", "us,ap", "--regions", "eu",
		}, want: ports.OperationRequest{Kind: operation.KindStart, Spec: spec(func(s *operation.Spec) {
			s.Port, s.ContainerPort, s.Env = 7, 8, map[string]string{"A": "1", "B": "x=y", "C": ""}
			s.CPUs, s.MemoryBytes, s.Network, s.HealthPath = 0.5, 256<<20, "net", "none"
			s.HealthTimeout, s.StopGrace = operation.Duration(time.Minute), operation.Duration(2*time.Second)
			s.Crash = operation.CrashPolicy{Attempts: 3, Window: operation.Duration(time.Hour), Delay: operation.Duration(5 * time.Second)}
			s.OnNodeLost, s.Regions = operation.NodeLostReschedule, []string{"us", "ap", "eu"}
		})}},
		"start from a file": {args: []string{"start", "g", "-f", sameSpec}, want: ports.OperationRequest{Kind: operation.KindStart, Spec: spec(func(s *operation.Spec) {
			s.Port, s.Env, s.HealthTimeout, s.Crash.Attempts, s.Args = 1, map[string]string{"A": "1", "B": "2"}, operation.Duration(time.Minute), 2, []string{"x"}
		})}},
		"flags override a file": {args: []string{"start", "g", "-f", sameSpec, "--port", "0", "--env", "B=3", "--crash-delay", "2s", "--", "y"}, want: ports.OperationRequest{Kind: operation.KindStart, Spec: spec(func(s *operation.Spec) {
			s.Env, s.HealthTimeout, s.Args = map[string]string{"A": "1", "B": "3"}, operation.Duration(time.Minute), []string{"y"}
			s.Crash = operation.CrashPolicy{Attempts: 2, Delay: operation.Duration(2 * time.Second)}
		})}},
		"start from JSON": {args: []string{"start", "g", "-f", "-"}, stdin: `{"image":"game:1","cpus":1.5}`, want: ports.OperationRequest{Kind: operation.KindStart, Spec: spec(func(s *operation.Spec) { s.CPUs = 1.5 })}},
		"stop":            {args: []string{"stop", "g"}, want: ports.OperationRequest{Kind: operation.KindStop}},
		"restart":         {args: []string{"restart", "g"}, want: ports.OperationRequest{Kind: operation.KindRestart}},
		"patch":           {args: []string{"patch", "g", "--image", "game:2"}, want: ports.OperationRequest{Kind: operation.KindPatch, Image: "game:2"}},
		"forced patch":    {args: []string{"patch", "g", "--image", "game:2", "--force"}, want: ports.OperationRequest{Kind: operation.KindPatch, Image: "game:2", Force: true}},
		"cleanup":         {args: []string{"cleanup", "g"}, want: ports.OperationRequest{Kind: operation.KindCleanup}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &fakeManager{}
			args := append([]string{c.args[0], "--operation-id", "op 1", "--reason", "why"}, c.args[1:]...)
			got := commandLine{args: args, server: serveManager(t, r), stdin: c.stdin}.run(t.Context())
			got.requireCode(t, 0, args)
			if c.want.GameID == "" {
				c.want.GameID = "g"
			}
			c.want.AnyNode = c.want.Kind == operation.KindStart && !slices.Contains(args, "--node") && !slices.Contains(args, sameSpec)
			c.want.Origin = ports.Origin{OperationID: "op 1", Actor: "ada", Reason: "why"}
			c.want.AnyNode = c.want.Kind == operation.KindStart && !slices.Contains(c.args, "--node") && !slices.Contains(c.args, sameSpec) // the file names a node
			require.Equal(t, c.want, r.onlyRequest(t))
		})
	}
}

func TestInvalidSpecFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "standard input: contains 0 documents",
		"image: a:1\n---\nimage: b":  "standard input: contains 2 documents; use one",
		"[]":                         "must be an object with image and so on, not a list",
		"image: a:1\nprivileged: 1":  `unknown field "privileged"`,
		"image: 7":                   "image: must be a string, not a number; put it in quotes",
		"crash: {tries: 1}":          `crash: unknown field "tries"`,
		"crash: 1":                   "crash: must be an object, not a number",
		"health_timeout: soon":       `health_timeout: "soon" is not a duration such as 30s or 5m`,
		"health_timeout: 30":         "health_timeout: must be a duration such as 30s, not a number",
		"env: [a]":                   "env: must be an object, not a list",
		"cpus: lots":                 "cpus: must be a number, not a string",
		"image: a:1\nport: 70000":    "port 70000 is not a port from 0 to 65535",
		"image: a:1\nimage: b:1":     `key "image" already set in map`,
		"memory_bytes: 256MiB":       "memory_bytes: must be a 64-bit integer, not a string",
		"image: a:1\nstop_grace: 2h": "stop_grace 2h0m0s is not from 0 to 1h0m0s",
	} {
		got := commandLine{args: []string{"start", "g", "-f", "-"}, stdin: text}.run(t.Context())
		got.requireCode(t, 2, text)
		require.Contains(t, got.err, want)
	}
	got := run(t, "", "start", "g", "-f", "missing.yaml")
	got.requireCode(t, 1, "a file that does not exist")
	require.Contains(t, got.err, "-f requires a file with a description of how to run the game")
}

// Start returns when the game is healthy, with --wait=false when it runs, and with --detach when
// the start is accepted. The other commands return when the operation is finished.
func TestOperationsReturnAtTheRequestedState(t *testing.T) {
	t.Parallel()
	healthy := make(chan struct{})
	r := &fakeManager{operate: func(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
		for _, step := range []operation.Step{operation.StepAccepted, operation.StepCreating, operation.StepAwaitingHealth} {
			report(progressAt(request, step))
		}
		select {
		case <-healthy:
			return outcomeOf(request), nil
		case <-ctx.Done():
			return operation.Outcome{}, ctx.Err()
		}
	}}
	server := serveManager(t, r)
	got := run(t, server, "start", "g", "--wait=false")
	got.requireCode(t, 0, "start")
	require.Equal(t, "g start: running on eu/n1, revision 6\n", got.out)
	require.Empty(t, got.err, "progress is for a terminal")

	got = run(t, server, "start", "g", "--detach", "--operation-id", "op-6")
	got.requireCode(t, 0, "start --detach")
	require.Equal(t, "g start: accepted, operation op-6\n", got.out)
	got = run(t, server, "start", "g", "h", "-d", "--operation-id", "op-6", "-o", "json")
	got.requireCode(t, 0, "start -d of several games")
	require.Equal(t, 2, strings.Count(got.out, `"step":"accepted"`), got.out)
	run(t, server, "start", "g", "--detach", "--wait").requireCode(t, 2, "both flags")

	for _, args := range [][]string{{"start", "g"}, {"start", "g", "--wait"}, {"restart", "g"}, {"patch", "g", "--image", "a:1"}} {
		got = run(t, server, append(args, "--timeout", "1s", "--operation-id", "op-7")...)
		got.requireCode(t, 124, args)
		require.Contains(t, got.err, "hint: operation op-7 continues; `rtmanager explain g` shows it, and the same command with --operation-id op-7 waits for it\n")
		require.Empty(t, got.out)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, interrupt)
	got = commandLine{args: []string{"start", "g", "--operation-id", "op-8"}, server: server}.run(ctx)
	got.requireCode(t, 130, "interrupted")
	require.Contains(t, got.err, "rtmanager: start g: interrupted; the start continues\nhint: operation op-8 continues")
	close(healthy)
	got = run(t, server, "start", "g", "--wait", "-q", "-o", "json")
	got.requireCode(t, 0, "start --wait")
	require.Empty(t, got.err, "--quiet")
	require.True(t, strings.HasPrefix(got.out, `{"game_id":"g","status":"running"`), got.out)
}

func TestOperationsThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		failed operation.FailureCode
		code   int
		want   string
	}{
		"busy":     {&operation.BusyError{GameID: "g", OperationID: "other", Kind: "start", Step: "pulling", Holder: "eu/n1", Actor: "eve", Since: noon}, "", 3, "start other (pulling) on eu/n1 since 2026-03-01T12:00:00Z, requested by eve\nhint: `rtmanager explain g` shows the operation in progress"},
		"rejected": {&operation.RejectedError{GameID: "g", Operation: "stop", Status: "removed", Reason: "it has been removed, and there is nothing to stop"}, "", 3, "stop rejected: it has been removed, and there is nothing to stop\n"},
		"no game":  {runtime.ErrNotFound, "", 4, "no such game"},
		"no image": {container.ErrNoImage, operation.FailureNoImage, 1, "no such image"},
		"no start": {operation.ErrStartFailed, operation.FailureStart, 1, "container failed to start\n  current: stopped on eu/n1, image "},
		"engine":   {container.ErrEngineUnavailable, operation.FailureEngine, 5, "engine is unavailable"},
		"invalid":  {&runtime.InvalidError{Field: "image", Reason: "is invalid"}, "", 2, "image is invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &fakeManager{operate: func(_ context.Context, request ports.OperationRequest, _ func(operation.Progress)) (operation.Outcome, error) {
				outcome := operation.Outcome{}
				if c.failed != "" {
					outcome = outcomeOf(request)
					outcome.Failure = &operation.Failure{Code: c.failed, Message: "m"}
				}
				return outcome, c.err
			}}
			got := run(t, serveManager(t, r), "stop", "g")
			got.requireCode(t, c.code, name)
			require.Contains(t, got.err, c.want)
			require.Contains(t, got.err, "rtmanager: stop g: ")
			require.Empty(t, got.out)
		})
	}
	lost := localRecord("g")
	lost.Node = "absent"
	got := run(t, serveManager(t, &fakeManager{}, lost), "stop", "g")
	got.requireCode(t, 5, "a game whose node is absent")
	require.Contains(t, got.err, "eu/absent is not among the present nodes")
	require.Contains(t, got.err, "hint: `rtmanager nodes` lists the nodes that are present and their addresses, which `rtmanager serve --advertise` sets\n")
}

// A daemon without an engine returns a clear error.
func TestOperationsOnADaemonWithoutAnEngine(t *testing.T) {
	t.Parallel()
	daemon, err := httpserver.New(memstore.New(), httpserver.Config{})
	require.NoError(t, err)
	server := serveHandler(t, daemon.Handler())
	for _, args := range [][]string{{"start", "g"}, {"drift"}, {"nodes"}, {"explain", "g"}} {
		got := run(t, server, args...)
		got.requireCode(t, 1, args)
		require.Contains(t, got.err, "Not offered by this daemon: this daemon ")
	}
}
