package cli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// clientCommands are the commands that connect to a daemon, each with valid arguments.
var clientCommands = map[string][]string{
	"list": {}, "get": {"game"}, "put": {"-f", "-"}, "set-status": {"game", "--from", "running", "--to", "stopped"},
	"watch": {}, "history": {"game"}, "fsck": {}, "version": {},
	"start": {"game", "-q"}, "stop": {"game", "-q"}, "restart": {"game", "-q"}, "patch": {"game", "--image", "a:1", "-q"}, "cleanup": {"game", "-q"},
	"explain": {"game"}, "nodes": {}, "drift": {},
}

// Each is rejected before any request: no daemon listens, which would be another exit
// code.
func TestInvalidFlagsOfEveryCommand(t *testing.T) {
	t.Parallel()
	for command, valid := range clientCommands {
		for name, c := range map[string]struct {
			args []string
			want string
		}{
			"unknown flag":       {[]string{"--frobnicate"}, "unknown flag: --frobnicate"},
			"unknown letter":     {[]string{"-x"}, "unknown shorthand flag: 'x' in -x"},
			"no value":           {[]string{"--server"}, "flag needs an argument: --server"},
			"unknown format":     {[]string{"-o", "xml"}, `--output or RTMANAGER_OUTPUT "xml" is not an output format; use one of table, wide, json, yaml`},
			"format in capitals": {[]string{"-o", "JSON"}, `--output or RTMANAGER_OUTPUT "JSON" is not an output format`},
			"empty format":       {[]string{"-o", ""}, "--output is empty; give it a value or omit it"},
			"empty server":       {[]string{"--server", ""}, "--server is empty"},
			"no unit":            {[]string{"--timeout", "5"}, `--timeout "5" is invalid; use a duration with a unit, such as 90s or 2m`},
			"negative timeout":   {[]string{"--timeout", "-1s"}, "--timeout -1s is negative; use 0 for no timeout"},
			"not a switch":       {[]string{"--no-color=maybe"}, `--no-color "maybe" is invalid; use true or false`},
		} {
			t.Run(command+"/"+name, func(t *testing.T) {
				t.Parallel()
				args := append(append([]string{command}, valid...), c.args...)
				got := run(t, "", args...)
				got.requireCode(t, 2, args)
				require.Contains(t, got.err, "rtmanager: "+c.want, "%q printed to stderr", args)
				require.Contains(t, got.err, "hint: see `rtmanager "+command+" --help`\n", "%q printed to stderr", args)
				require.Empty(t, got.out)
			})
		}
	}
}

func TestInvalidArguments(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 257)
	setStatus := func(more ...string) []string { return append([]string{"set-status", "game"}, more...) }
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown command":     {[]string{"frobnicate"}, `unknown command "frobnicate" for "rtmanager"`},
		"misspelled command":  {[]string{"wacth"}, "or `rtmanager watch`?\n"},
		"command in capitals": {[]string{"LIST"}, `unknown command "LIST"`},
		"unknown help":        {[]string{"help", "frobnicate"}, `unknown command "frobnicate"`},
		"help of two":         {[]string{"help", "get", "list"}, "help takes one command or topic"},
		"no game":             {[]string{"get"}, "get requires one GAME, got 0 arguments"},
		"two games":           {[]string{"history", "a", "b"}, "history requires one GAME, got 2 arguments"},
		"no file":             {[]string{"put"}, `put requires --filename`},
		"file as argument":    {[]string{"put", "game.yaml"}, `put takes no arguments, got "game.yaml"`},
		"empty file":          {[]string{"put", "-f", ""}, "--filename is empty; give it a value or omit it"},
		"no statuses":         {setStatus(), `set-status requires --from and --to`},
		"unknown of rollout":  {[]string{"rollout", "frobnicate"}, `rollout has no command "frobnicate"; use one of delete, list, pause`},
		"unknown of cert":     {[]string{"cert", "frobnicate"}, `cert has no command "frobnicate"; use one of init, issue, list`},
		"unknown of etcd":     {[]string{"etcd", "frobnicate"}, `etcd has no command "frobnicate"; use one of bootstrap`},
		"node in two regions": {[]string{"start", "g", "--image", "game:1", "--node", "us/n1", "--region", "eu"}, `--node us/n1 is not in --region eu`},
		"no shell":            {[]string{"completion"}, "completion requires one shell: bash, zsh, fish, powershell"},
		"unknown shell":       {[]string{"completion", "tcsh"}, "use one of bash, zsh, fish, powershell"},

		"empty id":              {[]string{"get", ""}, `get "": game_id is empty; name the game`},
		"blank id":              {[]string{"get", " \u2003 "}, "is blank; name the game"},
		"long id":               {[]string{"get", long}, "has 257 bytes; at most 256 are allowed"},
		"tab in id":             {[]string{"get", "a\tb"}, `game_id "a\tb" contains a control character`},
		"escape in id":          {[]string{"history", "a\x1b[2J"}, `game_id "a\x1b[2J" contains a control character`},
		"no UTF-8":              {[]string{"get", "a\xff"}, `game_id "a\xff" is not valid UTF-8`},
		"path step":             {[]string{"get", ".."}, `game_id ".." cannot be an id`},
		"watch a bad id":        {[]string{"watch", "--game", long}, "has 257 bytes"},
		"change a bad id":       {[]string{"set-status", " ", "--from", "running", "--to", "stopped"}, "is blank"},
		"every error":           {[]string{"set-status", " ", "--from", "x", "--to", "y", "--now", "z"}, "\n  --from \"x\" is not a status; use one of running, stopped, removed\n  --to \"y\" is not a status; use one of running, stopped, removed\n  --now \"z\" is not a timestamp"},
		"status in caps":        {setStatus("--from", "Running", "--to", "stopped"), `--from "Running" is not a status; use one of`},
		"empty status":          {setStatus("--from", "", "--to", "stopped"), "--from is empty"},
		"same status":           {setStatus("--from", "running", "--to", "running"), `from "running" to "running": running may become stopped or removed`},
		"out of removed":        {setStatus("--from", "removed", "--to", "running"), `"removed" has no transitions`},
		"no such pair":          {setStatus("--from", "removed", "--to", "stopped"), "transition is not allowed"},
		"empty guard":           {setStatus("--from", "running", "--to", "stopped", "--container-id", ""), "--container-id is empty; give it a value or omit it"},
		"empty operation":       {setStatus("--from", "running", "--to", "stopped", "--operation-id", ""), "--operation-id is empty"},
		"long operation":        {setStatus("--from", "running", "--to", "stopped", "--operation-id", long), "--operation-id has 257 bytes; at most 128 are allowed"},
		"long reason":           {setStatus("--from", "running", "--to", "stopped", "--reason", strings.Repeat(long, 4)), "--reason has 1028 bytes; at most 1024"},
		"empty time":            {setStatus("--from", "running", "--to", "stopped", "--now", ""), "--now is empty"},
		"not a time":            {setStatus("--from", "running", "--to", "stopped", "--now", "noon"), `--now "noon" is not a timestamp; use the form 2026-03-01T12:00:00Z`},
		"date only":             {setStatus("--from", "running", "--to", "stopped", "--now", "2026-03-01"), "is not a timestamp"},
		"zero time":             {setStatus("--from", "running", "--to", "stopped", "--now", "0001-01-01T00:00:00Z"), "is the zero time; use the time of the transition"},
		"list of no status":     {[]string{"list", "--status", ""}, "--status is empty"},
		"empty status of two":   {[]string{"list", "--status", "running,"}, `--status "running," has an empty value; give it a value or omit it`},
		"empty region of two":   {[]string{"watch", "--region", "eu", "--region", ""}, `--region "" has an empty value; give it a value or omit it`},
		"no selector":           {[]string{"list", "-l", ""}, "--selector is empty"},
		"invalid selector":      {[]string{"watch", "-l", "env=a b"}, `--selector "env=a b" is not a label selector`},
		"list of unknown":       {[]string{"list", "--status", "dead"}, `--status "dead" is not a status`},
		"list of no place":      {[]string{"list", "--region", "", "--node", ""}, "--node is empty; give it a value or omit it\n  --region is empty"},
		"negative limit":        {[]string{"list", "--limit", "-1"}, "--limit is -1; use 1 or more, or 0 for all"},
		"huge limit":            {[]string{"list", "--limit", "99999999999999999999"}, `--limit "99999999999999999999" is invalid; use a whole number of at most 64 bits`},
		"limit not a number":    {[]string{"list", "--limit", "many"}, `--limit "many" is invalid; use a whole number of at most 64 bits`},
		"get consistency":       {[]string{"get", "g", "--consistency", "eventual"}, `--consistency "eventual" is not supported; use linearizable or local`},
		"consistency":           {[]string{"list", "--consistency", "eventual"}, `--consistency "eventual" is not supported; use linearizable or local`},
		"every error of list":   {[]string{"list", "--consistency", "x", "--limit", "-1", "--status", "x"}, "\n  --limit is -1; use 1 or more, or 0 for all\n  --status \"x\""},
		"watch of unknown":      {[]string{"watch", "--status", "dead"}, `--status "dead" is not a status`},
		"watch of no game":      {[]string{"watch", "--game", ""}, "--game is empty"},
		"negative from":         {[]string{"watch", "--from-revision", "-1"}, "--from-revision is -1; it must not be negative"},
		"negative if":           {[]string{"put", "-f", "-", "--if-revision", "-1"}, "--if-revision is -1; it must not be negative"},
		"list with words":       {[]string{"list", "extra"}, `list takes no arguments, got "extra"`},
		"start nothing":         {[]string{"start"}, "start requires one GAME or more, or a filter: --current-image, --selector, --status or --all"},
		"start a bad id":        {[]string{"start", " "}, "is blank; name the game"},
		"no image":              {[]string{"start", "g", "--image", ""}, "--image is empty; give it a value or omit it"},
		"bad image":             {[]string{"start", "g", "--image", "a b"}, `--image "a b" is not an image reference`},
		"bad port":              {[]string{"start", "g", "--port", "70000"}, "--port 70000 is not a port"},
		"several invalid flags": {[]string{"start", "g", "--container-port", "-1", "--cpus", "-1"}, "\n  --cpus -1 is not a number of CPUs"},
		"port not a number":     {[]string{"start", "g", "--port", "http"}, `--port "http" is invalid; use a whole number of at most 64 bits`},
		"bad memory":            {[]string{"start", "g", "--memory", "lots"}, `--memory "lots" is not a size; write it like 256MiB or 1GB`},
		"negative memory":       {[]string{"start", "g", "--memory", "-1GB"}, `--memory "-1GB" is not a size`},
		"little memory":         {[]string{"start", "g", "--memory", "1"}, "--memory 1 is less than"},
		"env of nothing":        {[]string{"start", "g", "--env", ""}, `--env "" is not NAME=VALUE`},
		"env of no value":       {[]string{"start", "g", "--env", "A"}, `--env "A" is not NAME=VALUE`},
		"env of no name":        {[]string{"start", "g", "--env", "=a"}, `--env "=a" is not NAME=VALUE`},
		"env twice":             {[]string{"start", "g", "--env", "A=1", "--env", "A=2"}, `--env sets "A" twice`},
		"bad health path":       {[]string{"start", "g", "--health-path", "healthz"}, `--health-path "healthz" is neither a path`},
		"long grace":            {[]string{"start", "g", "--stop-grace", "2h"}, "--stop-grace 2h0m0s is not from"},
		"bare timeout":          {[]string{"start", "g", "--health-timeout", "5"}, `--health-timeout "5" is invalid; use a duration with a unit, such as 90s or 2m`},
		"bad attempts":          {[]string{"start", "g", "--crash-attempts", "-1"}, "--crash-attempts -1 is not from 0"},
		"bad policy":            {[]string{"start", "g", "--on-node-lost", "panic"}, `--on-node-lost "panic" is neither`},
		"no node":               {[]string{"start", "g", "--region", "eu", "--node", ""}, "--node is empty"},
		"stop nothing":          {[]string{"stop"}, "stop requires one GAME or more, or a filter: --image, --node, --region, --selector, --status or --all"},
		"games and filters":     {[]string{"stop", "a", "--region", "eu"}, "stop accepts either GAMEs or filters (--image, --node, --region, --selector, --status, --all), not both"},
		"all and filters":       {[]string{"stop", "--all", "--region", "eu"}, "stop accepts either --all or other filters, not both"},
		"empty filter":          {[]string{"stop", "--status", "running", "--region", ""}, "--region is empty; give it a value or omit it"},
		"filter of no status":   {[]string{"stop", "--status", "dead"}, `--status "dead" is not a status`},
		"one bad id":            {[]string{"stop", "a", "a\tb"}, `game_id "a\tb" contains a control character`},
		"none at a time":        {[]string{"stop", "a", "b", "--max-parallel", "0"}, "--max-parallel is 0; use 1 to 1000"},
		"revision of several":   {[]string{"delete", "a", "b", "--if-revision", "1", "--yes"}, "--if-revision is only for one GAME"},
		"stop a bad id":         {[]string{"stop", long}, "has 257 bytes"},
		"stop long reason":      {[]string{"stop", "g", "--reason", strings.Repeat(long, 4)}, "--reason has 1028 bytes"},
		"patch without":         {[]string{"patch", "g"}, `patch requires --image`},
		"patch to a bad":        {[]string{"patch", "g", "--image", "../x"}, `--image "../x" is not an image reference`},
		"explain nothing":       {[]string{"explain"}, "explain requires one GAME"},
		"nodes with words":      {[]string{"nodes", "n1"}, `nodes takes no arguments, got "n1"`},
		"unconfirmed apply":     {[]string{"drift", "--apply"}, "not a terminal: pass --yes to confirm"},
		"unconfirmed release":   {[]string{"drift", "--release-brake"}, "not a terminal: pass --yes to confirm"},
		"apply, release":        {[]string{"drift", "--release-brake", "--apply"}, "drift accepts only one of --apply and --release-brake"},
		"fsck with words":       {[]string{"fsck", "game"}, `fsck takes no arguments, got "game"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, "", c.args...)
			got.requireCode(t, 2, c.args)
			require.Contains(t, got.err, c.want, "%q printed to stderr", c.args)
			require.Empty(t, got.out)
			require.NotContains(t, got.err, "\x1b", "quoted text must not control the terminal")
			require.Less(t, len(got.err), 1000, "a long argument must not hide the message")
		})
	}
}

func TestInvalidEnvironment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"format":      {map[string]string{"RTMANAGER_OUTPUT": "x"}, []string{"list"}, `--output or RTMANAGER_OUTPUT "x" is not an output format`},
		"server":      {map[string]string{"RTMANAGER_SERVER": "localhost:8080"}, []string{"list"}, `--server or RTMANAGER_SERVER "localhost:8080" is not the address of a daemon; use http://HOST:PORT`},
		"secret":      {map[string]string{"RTMANAGER_SERVER": "ftp://ada:secret@host"}, []string{"list"}, `"ftp://…@host" is not the address`},
		"bad address": {map[string]string{"RTMANAGER_SERVER": "http://a b"}, []string{"list"}, `"http://a b" is not the address`},
		"query":       {map[string]string{"RTMANAGER_SERVER": "http://a?b"}, []string{"watch"}, `"http://a?b" is not the address`},
		"listen":      {map[string]string{"RTMANAGER_LISTEN": "x"}, []string{"serve", "--data-dir", "d"}, `--listen "x" is not HOST:PORT`},
		"number":      {map[string]string{"RTMANAGER_ETCD_QUOTA_BYTES": "x"}, []string{"serve", "--data-dir", "d"}, `environment variable RTMANAGER_ETCD_QUOTA_BYTES: invalid argument "x"`},
		"file":        {map[string]string{"RTMANAGER_CONFIG": "missing.yaml"}, []string{"serve", "--data-dir", "d"}, "--config: open missing.yaml: no such file"},
		"engine":      {map[string]string{"RTMANAGER_ENGINE": "podman"}, []string{"serve", "--data-dir", "d"}, `--engine "podman" is not an engine`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := commandLine{args: c.args, env: c.env}.run(t.Context())
			got.requireCode(t, 2, c.args)
			require.Contains(t, got.err, c.want)
			require.NotContains(t, got.err, "secret")
		})
	}
}

// The environment only sets defaults, and the help does not show them.
func TestFlagsTakePrecedenceOverTheEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{"RTMANAGER_OUTPUT": "x", "RTMANAGER_SERVER": "http://ada:hunter2@host"}
	got := commandLine{args: []string{"version", "--client", "-o", "json", "--server", unusedAddress}, env: env}.run(t.Context())
	got.requireCode(t, 0, "version --client")
	require.Contains(t, got.out, `{"client":{"version":`)

	got = commandLine{args: []string{"--help"}, env: env}.run(t.Context())
	got.requireCode(t, 0, "--help")
	require.Contains(t, got.out, `(default "http://127.0.0.1:8080")`)
	require.NotContains(t, got.out, "hunter2")
}
