using System.Buffers.Binary;
using System.Text;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class ElfVersionNeedsTests
{
    [Fact]
    public void All_needs_are_read_with_their_library_and_strength()
    {
        byte[] image = Image(("libc.so.6", ["GLIBC_2.14", "GLIBC_2.34"]), ("libstdc++.so.6", ["GLIBCXX_3.4.30"]));
        Assert.Equal(
            ["libc.so.6 GLIBC_2.14 False", "libc.so.6 GLIBC_2.34 False", "libstdc++.so.6 GLIBCXX_3.4.30 False"],
            ElfVersionNeeds.Read(image).Select(need => $"{need.Library} {need.Version} {need.IsWeak}"));
    }

    [Fact]
    public void Only_versions_of_libstdcxx_newer_than_Debian_12_has_become_weak_and_one_bit_changes_for_each()
    {
        byte[] image = Image(
            ("libc.so.6", ["GLIBC_2.99", "GLIBCXX_3.4.99"]),
            ("libstdc++.so.6", ["GLIBCXX_3.4.9", "GLIBCXX_3.4.30", "GLIBCXX_3.4.31", "CXXABI_1.3.13", "GLIBCXX_3.5", "GLIBCXX_TUNABLES", "GLIBCXX_3.4.32"]));
        byte[] before = [.. image];
        Assert.Equal(["GLIBCXX_3.4.31", "GLIBCXX_3.5", "GLIBCXX_3.4.32"], ElfVersionNeeds.Weaken(image));
        Assert.Equal(["GLIBCXX_3.4.31", "GLIBCXX_3.5", "GLIBCXX_3.4.32"], ElfVersionNeeds.Read(image).Where(need => need.IsWeak).Select(need => need.Version));
        Assert.All(image.Zip(before).Where(pair => pair.First != pair.Second), pair => Assert.Equal(2, pair.First ^ pair.Second));
        Assert.Equal(3, image.Zip(before).Count(pair => pair.First != pair.Second));
    }

    [Fact]
    public void Weakening_again_changes_nothing()
    {
        byte[] image = Image(("libstdc++.so.6", ["GLIBCXX_3.4.32"]));
        Assert.Single(ElfVersionNeeds.Weaken(image));
        byte[] once = [.. image];
        Assert.Empty(ElfVersionNeeds.Weaken(image));
        Assert.Equal(once, image);
    }

    [Fact]
    public void An_image_without_version_needs_is_left_alone() => Assert.Empty(ElfVersionNeeds.Weaken(Image()));

    [Fact]
    public void What_is_not_a_64_bit_little_endian_image_with_sections_is_refused()
    {
        byte[] good = Image(("libstdc++.so.6", ["GLIBCXX_3.4.32"]));
        Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.Weaken([]));
        Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.Weaken(Encoding.ASCII.GetBytes(new string('x', 200))));
        Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.Weaken(With(good, 4, 1)));    // 32-bit
        Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.Weaken(With(good, 5, 2)));    // big-endian
        Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.Weaken(With(good, 0x3A, 8))); // section headers too short
        Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.Weaken(With(good, 0x3C, 0))); // no sections
    }

    [Fact]
    public void An_image_cut_anywhere_is_refused()
    {
        // The section headers stand at the end, so no shorter file is whole.
        byte[] good = Image(("libstdc++.so.6", ["GLIBCXX_3.4.32"]));
        for (int length = 0; length < good.Length - 16; length++) // the last fields of the last header are not read
            Assert.Throws<InvalidDataException>(() => ElfVersionNeeds.Weaken(good[..length]));
    }

    [Fact]
    public void A_damaged_byte_is_refused_or_harmless_but_never_another_exception_or_an_endless_walk()
    {
        byte[] good = Image(("libc.so.6", ["GLIBC_2.34"]), ("libstdc++.so.6", ["GLIBCXX_3.4.30", "GLIBCXX_3.4.32"]));
        for (int offset = 0; offset < good.Length; offset++)
        {
            foreach (byte value in new byte[] { 0, 1, 0x7F, 0x80, 0xFF })
            {
                try
                {
                    ElfVersionNeeds.Weaken(With(good, offset, value));
                }
                catch (InvalidDataException)
                {
                }
            }
        }
    }

    private static byte[] With(byte[] image, int offset, byte value)
    {
        byte[] copy = [.. image];
        copy[offset] = value;
        return copy;
    }

    /// <summary>The least that the walk reads: header, names, version needs, and three section headers (null, names, needs).</summary>
    private static byte[] Image(params (string Library, string[] Versions)[] needs)
    {
        var names = new MemoryStream();
        names.WriteByte(0);
        uint Name(string text)
        {
            uint offset = (uint)names.Position;
            names.Write(Encoding.ASCII.GetBytes(text + "\0"));
            return offset;
        }

        var table = new MemoryStream();
        var writer = new BinaryWriter(table);
        for (int i = 0; i < needs.Length; i++)
        {
            (string library, string[] versions) = needs[i];
            writer.Write((ushort)1);
            writer.Write((ushort)versions.Length);
            writer.Write(Name(library));
            writer.Write(16u);
            writer.Write(i == needs.Length - 1 ? 0 : 16u + 16u * (uint)versions.Length);
            for (int k = 0; k < versions.Length; k++)
            {
                writer.Write(0u);
                writer.Write((ushort)0);
                writer.Write((ushort)(k + 2));
                writer.Write(Name(versions[k]));
                writer.Write(k == versions.Length - 1 ? 0 : 16u);
            }
        }

        const int namesAt = 64;
        int tableAt = namesAt + (int)names.Length, sectionsAt = tableAt + (int)table.Length;
        byte[] image = new byte[sectionsAt + (needs.Length == 0 ? 1 : 3) * 64];
        ((byte[])[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(image, 0);
        names.ToArray().CopyTo(image, namesAt);
        table.ToArray().CopyTo(image, tableAt);
        void U16(int offset, int value) => BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(offset), (ushort)value);
        void U32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(offset), value);
        U32(0x28, (uint)sectionsAt);
        U16(0x3A, 64);
        U16(0x3C, needs.Length == 0 ? 1 : 3);
        if (needs.Length > 0)
        {
            U32(sectionsAt + 64 + 4, 3);
            U32(sectionsAt + 64 + 0x18, namesAt);
            U32(sectionsAt + 128 + 4, 0x6ffffffe);
            U32(sectionsAt + 128 + 0x18, (uint)tableAt);
            U32(sectionsAt + 128 + 0x28, 1);
            U32(sectionsAt + 128 + 0x2C, (uint)needs.Length);
        }

        return image;
    }
}
