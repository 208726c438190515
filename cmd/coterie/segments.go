package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/model"
)

// segmentsDocument is what segments list and rename print with --json.
type segmentsDocument struct {
	Segments []segmentDocument `json:"segments"`
	Model    string            `json:"model"`
	Digest   string            `json:"digest"`
}

// segmentDocument is one segment of it.
type segmentDocument struct {
	Segment int     `json:"segment"`
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Named   bool    `json:"named"` // by a person
	Size    int64   `json:"size"`  // rows of the fit
	Share   float64 `json:"share"`
}

// newSegmentsCommand is coterie segments with its subcommands.
func newSegmentsCommand(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "segments list|rename",
		Short: "List the segments of a model, and give them names",
		Args:  noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fault.Usagef("%s needs one of list and rename", cmd.CommandPath()).Do("usage: %s", cmd.UseLine())
		},
	}
	cmd.AddCommand(newSegmentsListCommand(app), newSegmentsRenameCommand(app))
	for _, c := range cmd.Commands() {
		c.Flags().SortFlags = false
	}
	return cmd
}

func newSegmentsListCommand(app *App) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list --model model.json",
		Short:   "List the segments of a model: number, id, name, size",
		Example: "  coterie segments list --model model.json",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			m, err := model.ReadFile(file)
			if err != nil {
				return err
			}
			return app.answerSegments(asJSON, file, m, "next  coterie segments rename --model "+quoted(file)+` 0="A better name"`)
		},
	}
	cmd.Flags().StringVar(&file, "model", "", "the model: `FILE`.json")
	addJSON(cmd, &asJSON)
	require(cmd, "model")
	return cmd
}

func newSegmentsRenameCommand(app *App) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rename --model model.json SEGMENT=NAME…",
		Short: "Give segments names that people know them by",
		Long: "Rename writes new names into the model. SEGMENT is a segment's number or its id. What the model computes stays\n" +
			"the same, and so does its digest; a name that was given is kept through the months.",
		Example: "  coterie segments rename --model model.json 3=\"Big spenders\" s1=Newcomers",
		Args:    someArgs("SEGMENT=NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			renames := make([]pipeline.Rename, len(args))
			for i, text := range args {
				var err error
				if renames[i], err = pipeline.ParseRename(text); err != nil {
					return err
				}
			}
			m, err := pipeline.RenameSegments(file, renames)
			if err != nil {
				return err
			}
			return app.answerSegments(asJSON, file, m, "model  "+file)
		},
	}
	cmd.Flags().StringVar(&file, "model", "", "the model, which is changed: `FILE`.json")
	addJSON(cmd, &asJSON)
	require(cmd, "model")
	return cmd
}

// answerSegments prints the segments of a model, and last what to do next.
func (app *App) answerSegments(asJSON bool, file string, m *model.Model, last string) error {
	doc := segmentsDocument{Segments: make([]segmentDocument, m.K), Model: file, Digest: m.Digest()}
	for i, s := range m.Segments {
		doc.Segments[i] = segmentDocument{Segment: i, ID: s.ID, Name: s.Name, Named: s.Named, Size: m.Counts[i]}
		if m.Rows > 0 {
			doc.Segments[i].Share = float64(m.Counts[i]) / float64(m.Rows)
		}
	}
	return app.answer(asJSON, doc, func(w io.Writer) {
		g := newGrid(2, ">#", "id", "name", ">size", ">share", "name is")
		for _, s := range doc.Segments {
			by := "automatic"
			if s.Named {
				by = "given"
			}
			g.add(strconv.Itoa(s.Segment), s.ID, s.Name, grouped(s.Size), fmt.Sprintf("%.1f %%", 100*s.Share), by)
		}
		g.write(w, app.width())
		fmt.Fprintln(w, last)
	})
}
