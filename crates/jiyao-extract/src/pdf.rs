//! The text layer of a PDF file. Runs in the child.

pub(crate) fn text(bytes: &[u8]) -> Result<String, String> {
    pdf_extract::extract_text_from_mem(bytes).map_err(|e| e.to_string())
}
