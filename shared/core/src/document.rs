//! The documents of a run as types: a type has its kind, and with it its path, so that no caller names either.

use crate::run::{
    Changeset, DocumentKind, PartRef, PartialReceipt, Plan, ReadPart, ReadRun, Receipt, Report, RunKey, RunRef, Verdict,
};
use crate::uri::{LakePath, layout};

/// A document of a run, or an excerpt of one that a reader needs. An excerpt is not `Serialize`, so that nobody writes it.
pub trait StepDocument {
    /// What has one such document: each attempt ([`RunRef`]), each part of one ([`PartRef`]) or the run as a whole
    /// ([`RunKey`]).
    type Of: HasDocuments;

    /// The kind.
    const KIND: DocumentKind;

    /// Path of the document below the lake's root.
    fn path(of: &Self::Of) -> LakePath {
        of.document(Self::KIND)
    }
}

/// What documents are about.
pub trait HasDocuments {
    /// Path of a document of this kind below the lake's root.
    fn document(&self, kind: DocumentKind) -> LakePath;
}

impl HasDocuments for RunRef {
    fn document(&self, kind: DocumentKind) -> LakePath {
        layout::attempt_document(self, kind)
    }
}

impl HasDocuments for RunKey {
    fn document(&self, kind: DocumentKind) -> LakePath {
        layout::run_document(self, kind)
    }
}

impl HasDocuments for PartRef {
    fn document(&self, kind: DocumentKind) -> LakePath {
        layout::part_document(self, kind)
    }
}

impl StepDocument for Plan {
    type Of = RunRef;
    const KIND: DocumentKind = DocumentKind::Plan;
}

impl StepDocument for Changeset {
    type Of = RunRef;
    const KIND: DocumentKind = DocumentKind::Changeset;
}

impl StepDocument for ReadPart {
    type Of = PartRef;
    const KIND: DocumentKind = DocumentKind::Part;
}

impl StepDocument for ReadRun {
    type Of = RunRef;
    const KIND: DocumentKind = DocumentKind::Read;
}

impl StepDocument for Verdict {
    type Of = RunRef;
    const KIND: DocumentKind = DocumentKind::Verdict;
}

impl StepDocument for Receipt {
    type Of = RunRef;
    const KIND: DocumentKind = DocumentKind::Receipt;
}

impl StepDocument for PartialReceipt {
    type Of = RunRef;
    const KIND: DocumentKind = DocumentKind::PartialReceipt;
}

impl StepDocument for Report {
    type Of = RunKey;
    const KIND: DocumentKind = DocumentKind::Report;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Reading;

    fn run() -> RunRef {
        RunRef { pipeline: "retail".parse().expect("name"), run_id: "day-1".parse().expect("id"), attempt: 2 }
    }

    #[test]
    fn documents_are_where_earlier_versions_wrote_them() {
        let of_attempt = |path: LakePath, expected: &str| assert_eq!(path.as_str(), expected);
        of_attempt(Plan::path(&run()), "runs/retail/day-1/plan-2.json");
        of_attempt(Changeset::path(&run()), "runs/retail/day-1/changeset-2.json");
        of_attempt(Verdict::path(&run()), "runs/retail/day-1/verdict-2.json");
        of_attempt(Receipt::path(&run()), "runs/retail/day-1/receipt-2.json");
        of_attempt(PartialReceipt::path(&run()), "runs/retail/day-1/partial-2.json");
        of_attempt(Report::path(&run().key()), "runs/retail/day-1/report.json");
        let part = serde_json::from_str("7").expect("part");
        let first = PartRef::first(&run(), part);
        of_attempt(ReadPart::path(&first), "parts/retail/day-1/2/part-7.json");
        let again = PartRef { reading: Reading::Again, ..first };
        of_attempt(ReadPart::path(&again), "parts/retail/day-1/2/part-7-again.json");
    }

    #[test]
    fn a_path_says_which_document_of_which_attempt_it_is() {
        for kind in DocumentKind::ALL {
            assert_eq!(layout::attempt_of(&layout::attempt_document(&run(), kind)), Some((run(), kind)));
        }
        let others = [
            "runs/retail/day-1/report.json",
            "runs/retail/day-1/plan-02.json",
            "runs/retail/day-1/plan-x.json",
            "runs/retail/day-1/launch-1-1.json",
            "runs/retail/day-1/etl-1.sql",
            "runs/retail/day-1/report-2.html",
            "runs/retail/day-1/metrics-1/plan-1.json",
            "parts/retail/day-1/1/part-1.json",
            "runs/Retail/day-1/plan-1.json",
            "run/retail/day-1/plan-1.json",
            "plan-1.json",
        ];
        assert_eq!(layout::report_page(&run()).as_str(), "runs/retail/day-1/report-2.html");
        for path in others {
            assert_eq!(layout::attempt_of(&path.parse().expect(path)), None, "{path}");
        }
    }
}
