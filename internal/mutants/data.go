package mutants

// data are breakages of what becomes of rows and of labels.
func data() []Mutant {
	return []Mutant{
		{Name: "a-count-of-bad-rows-is-lost", Breaks: "bad rows of several workers are not added up", Holds: "I6",
			Edits:  []Edit{{"internal/wire/partial.go", "\tn.Bad += o.Bad\n", "\tn.Bad = max(n.Bad, o.Bad)\n"}},
			Caught: []Tests{in("internal/wire", "TestMergingAddsUpWhatWasTakenIn")}},
		{Name: "bad-rows-in-order-of-arrival", Breaks: "which bad rows are told depends on who answers first", Holds: "I6",
			Edits:  []Edit{{"internal/wire/partial.go", "return cmp.Compare(a.Row, b.Row)\n\t\t}\n\t\treturn cmp.Or", "return 0\n\t\t}\n\t\treturn cmp.Or"}},
			Caught: []Tests{in("internal/wire", "TestEqualPartialsHaveEqualBytesInAnyOrderOfMerging")}},
		{Name: "a-bad-row-is-dropped-silently", Breaks: "a row that is set aside is neither counted nor named", Holds: "I6",
			Edits:  []Edit{{"worker/intake.go", "\tk.partial.Intake.Bad++\n\tif len(k.partial.Bad) <= wire.MaxQuarantined {", "\tif len(k.partial.Bad) < 0 {"}},
			Caught: []Tests{in("worker", "TestEveryRowThatIsReadIsKeptOrSetAsideWithItsPlace")}},
		{Name: "the-manifest-of-parts-is-not-last", Breaks: "labels count as whole though a part is missing", Holds: "I2",
			Edits:  []Edit{{"worker/parts.go", "if i >= len(found.parts) || found.parts[i] != p.Name {", "if i < len(found.parts) && found.parts[i] != p.Name {"}},
			Caught: []Tests{in("worker", "TestPartsAreCommittedOnlyWhole")}},
		{Name: "the-manifest-is-removed-last", Breaks: "old labels count as whole while they are removed", Holds: "whole",
			Edits: []Edit{{"worker/parts.go", "slices.Concat([]string{manifestName}, found.parts, found.leftovers)",
				"slices.Concat(found.parts, found.leftovers, []string{manifestName})"}},
			Caught: []Tests{in("worker", "TestTheManifestGoesBeforeTheParts")}},
		{Name: "labels-are-written-over", Breaks: "the memory of labels is used again while they are written", Holds: "I2",
			Edits: []Edit{{"worker/label.go", "if err := e.config.Labels.Put(ctx, labels); err != nil {\n\t\t\t\treturn nil, err\n\t\t\t}\n\t\t\te.written.Put(labels)\n",
				"e.written.Put(labels)\n\t\t\tif err := e.config.Labels.Put(ctx, labels); err != nil {\n\t\t\t\treturn nil, err\n\t\t\t}\n"}},
			Caught: []Tests{in("worker", "TestLabelsAreNotWrittenOverWhileTheyAreWritten")}},
		{Name: "labels-of-another-job-stay", Breaks: "parts of another job are committed as this one's", Holds: "I2",
			Edits:  []Edit{{"worker/parts.go", "case found.marker == nil || found.marker.Job != info.Job:", "case found.marker == nil:"}},
			Caught: []Tests{in("worker", "TestPartsAreCommittedOnlyWhole")}},
		{Name: "a-part-too-many", Breaks: "parts that are left over count as labels", Holds: "I2",
			Edits:  []Edit{{"worker/parts.go", "if len(found.parts) > parts {", "if len(found.parts) > parts && parts < 0 {"}},
			Caught: []Tests{in("worker", "TestPartsAreCommittedOnlyWhole")}},
		{Name: "no-value-is-a-value", Breaks: "a number that is none reaches the sums", Holds: "I6",
			Edits:  []Edit{{"internal/exact/sum.go", "\ts.special |= o.special\n", ""}},
			Caught: []Tests{in("internal/exact", "TestSumOfValuesThatAreNotFinite")}},
	}
}
