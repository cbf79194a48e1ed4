package cli

import "github.com/spf13/cobra"

func outputTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "output",
		Short: "Output formats of all commands",
		Long: `Every command that prints results has these output formats (-o):

  table                   a table, as without -o for lists
  wide                    a table with more columns, and values that are not shortened
  json                    the JSON of the API; streams print one value per line
  yaml                    the same as YAML
  name                    the id of each game or operation, or REGION/NODE, one per line
  jsonpath=TEMPLATE       what a JSONPath template of Kubernetes selects of the JSON
  go-template=TEMPLATE    the output of a template of Go with the JSON
  custom-columns=COLUMNS  HEADER:JSONPATH,… for each item of a list

A JSONPath without braces is one path. A member that is not in the JSON is empty. The
function json of a template of Go returns a value as JSON. Results are on
standard output, and messages on standard error.

  rtmanager list --status stopped -o name > stopped-games
  rtmanager get game-1 -o jsonpath=.engine_endpoint
  rtmanager list -o jsonpath='{range .items[*]}{.game_id}{"\t"}{.node}{"\n"}{end}'
  rtmanager nodes -o custom-columns=NODE:.name,GAMES:.games
  rtmanager list -o go-template='{{range .items}}{{.game_id}} {{json .labels}}{{"\n"}}{{end}}'`,
	}
}
